// The factored gradient in one pass backwards in time.
//
//     C^t    = trial + sum over signals of (reverse kappa filter of values^t) @ feedback
//     D^t    = psi^t (C^t + lambda^{t+1})                     (psi = 1 where it is null)
//     lambda = rho lambda^{t+1} - beta D^t                    (adaptive thresholds; 0 where beta is null)
//     A^t    = decay A^{t+1} + D^t
//     out_ij = gain_j sum over spikes (i, s) of A_j^{s + latency + delay_ij}        (A^t = 0 from t = T on)
//
// and of any neuron, linearised along its trajectory: with a the derivative of all that is to come by its d states,
//
//     s^t = psi^t (C^t + sum of a_X k_X^t);  a <- a R^t + s^t g^t;  a <- a U^t;  a <- a P^t;  A_X^t = a_X gate^t,
//
// where A is taken at the point of the step at which spikes arrive, R is the identity where the neuron did not spike,
// and constants of the neuron gather s d distance/dp + a dR/dp + a dU/dp + a dP/dp where each of these acts.
//
// Sums run in the order of the spikes where (nearly) all pairs are connected, in the opposite order where few are.
#pragma once

#include <vector>

#include "adjoint/by_spike.h"
#include "adjoint/in_blocks.h"
#include "adjoint/problem.h"

namespace snnplast::adjoint {

// Writes `out` of every sweep, and what constants of a chain gather. Threads may do so at once, each with its scratch.
inline void gradient(const Problem& given, int64_t n_sweeps, const Sweep* sweeps, Scratch& scratch) {
    Modulated problem(given, scratch);
    std::vector<const Sweep*> dense, sparse;
    for (int64_t s = 0; s < n_sweeps; ++s) (sweeps[s].post ? sparse : dense).push_back(sweeps + s);
    if (problem.chain && !dense.empty() && !sparse.empty()) {  // constants of the neuron gather in one of the two
        Chain without = *problem.chain;
        without.by_slope = without.by_reset = without.by_updates = without.by_flow = without.initial = {nullptr, 0};
        in_blocks(problem, dense, scratch);
        problem.chain = &without;
        by_spike(problem, sparse);
        return;
    }
    const bool gathers = problem.chain && sparse.empty();  // constants of the neuron, whatever is swept
    if (!dense.empty() || gathers) in_blocks(problem, dense, scratch);
    if (!sparse.empty()) by_spike(problem, sparse);
}

}  // namespace snnplast::adjoint
