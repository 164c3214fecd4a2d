// One step back in time, of any neuron.
#pragma once

#include "chain.h"
#include "modulation.h"

namespace snnplast::adjoint {

inline int64_t variables(const Problem& p) { return p.chain ? p.chain->n_variables : 1; }

// One step back in time of one exponential: A^t into `row`, from A^{t+1} in `later`.
inline void decay_back(const Problem& p, int64_t t, int64_t first, int64_t width, double* __restrict lambda,
                       const double* __restrict modulation, const double* __restrict later, double* __restrict row) {
    const double *psi = p.psi ? p.psi + t * p.n + first : nullptr, *decay = p.decay + first;
    for (int64_t b = 0; b < width; ++b) {
        const double inside = modulation[b] + lambda[b];
        const double direct = psi ? psi[b] * inside : inside;
        if (p.beta) lambda[b] = p.rho[first + b] * lambda[b] - p.beta[first + b] * direct;
        row[b] = decay[b] * later[b] + direct;
    }
}

// One step back in time for neurons first .. first + width - 1: A^t of each variable into its row, from A^{t+1}.
inline void step_back(const Modulated& p, int64_t t, int64_t first, int64_t width, Carry& c, const double* later,
                      double* const* rows) {
    modulate(p, t, first, width, c.modulation.data());
    if (p.chain)
        chain_back(p, t, first, width, c, rows);
    else
        decay_back(p, t, first, width, c.now.data(), c.modulation.data(), later, rows[0]);
}

}  // namespace snnplast::adjoint
