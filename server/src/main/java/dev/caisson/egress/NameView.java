package dev.caisson.egress;

import java.util.Optional;

/// One sandbox, as the service that answers its DNS queries sees it. Names are in their one spelling.
///
/// Threads: safe for many. Equal only to itself: queries in flight are counted by it.
interface NameView {
    /// What became of a query, for the flow log.
    enum Outcome {
        /// It has an address, or nothing of the type that was asked for.
        ANSWERED,
        /// No rule could allow it, or it is not a host's name.
        DENIED,
        /// The world does not have it.
        UNKNOWN,
        /// It has no address that may be reached.
        FILTERED,
        /// The resolvers did not say.
        FAILED,
        /// The sandbox has too many names.
        FULL,
        /// The budget is spent.
        OVER_BUDGET
    }

    /// Takes one request from the budget; false when there is none left.
    boolean spend();

    /// True when some rule may allow something at that name. Only then is anybody asked about it.
    boolean mayLookUp(String name);

    /// True when at least one of its addresses may be reached.
    boolean accepts(String name, Resolution.Found found);

    /// The name's addresses in this sandbox; empty when it has too many.
    Optional<SyntheticAddresses.Pair> addressesFor(String name);

    /// Called once per query that could be read, before it is answered.
    ///
    /// @param name as it was asked, at most 253 printable characters and `…`, when it is no host's name or was not looked at
    /// @param reason for people, empty when the outcome says all
    void heard(String name, Outcome outcome, String reason);
}
