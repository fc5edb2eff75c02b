/// Who may do what: API keys and their tenants, who sees which sandbox, how many a tenant may have, and which wall a degree of trust demands where who else is there.
///
/// Read first: [KeyStore], [Tenants], [TierPolicy], [Quota].
/// Refuses to do: HTTP; keeping the text of a key; choosing a weaker wall than was asked for.
@NullMarked
package dev.caisson.policy;

import org.jspecify.annotations.NullMarked;
