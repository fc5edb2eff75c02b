/// The way out: the gateway that resolves names, judges and dials connections for sandboxes, and writes down what they tried.
///
/// Read first: `Judge`, then `Gateway`. Nothing here is root, and nothing here trusts a byte that comes from a sandbox or from outside. What is not
/// understood is refused.
@NullMarked
package dev.caisson.egress;

import org.jspecify.annotations.NullMarked;
