package dev.caisson.egress;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/// A sandbox as the name service sees it, whose wishes a test sets.
final class NameSandbox implements NameView {
    private final SyntheticAddresses addresses;
    private final Predicate<String> allowed;
    private final List<String> heard = new CopyOnWriteArrayList<>();
    volatile boolean inBudget = true;
    volatile boolean full;
    /// Names none of whose addresses may be reached.
    volatile Predicate<String> filtered = _ -> false;

    NameSandbox(SyntheticAddresses addresses, Predicate<String> allowed) {
        this.addresses = addresses;
        this.allowed = allowed;
    }

    /// `OUTCOME name`, in order.
    List<String> heard() {
        return heard;
    }

    @Override
    public boolean spend() {
        return inBudget;
    }

    @Override
    public boolean mayLookUp(String name) {
        return allowed.test(name);
    }

    @Override
    public boolean accepts(String name, Resolution.Found found) {
        return !filtered.test(name);
    }

    @Override
    public Optional<SyntheticAddresses.Pair> addressesFor(String name) {
        return full ? Optional.empty() : addresses.of(name);
    }

    @Override
    public void heard(String name, Outcome outcome, String reason) {
        heard.add(outcome + " " + name);
    }
}
