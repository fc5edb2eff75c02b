package dev.caisson.api.rest;

/// Carries a problem that is HTTP's alone and so has no [dev.caisson.sandbox.Failure].
final class ProblemException extends RuntimeException {
    private final transient Problem problem;

    ProblemException(Problem problem) {
        super(problem.detail(), null, false, false);
        this.problem = problem;
    }

    Problem problem() {
        return problem;
    }
}
