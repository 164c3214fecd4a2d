// One step back in time of all neurons of a population.
#pragma once

#include <vector>

#include "chain.h"
#include "modulation.h"

namespace snnplast::adjoint {

inline int64_t variables(const Problem& p) { return p.chain ? p.chain->n_variables : 1; }

// What is carried from step to step for `width` neurons: lambda, or the states' derivatives.
struct Carry {
    std::vector<double> now, modulation;
    std::vector<ChainBlock<MOST>> blocks;

    Carry(const Problem& p, int64_t width) : now(width), modulation(width) {
        for (int64_t first = 0; p.chain && first < width; first += Columns<MOST>::WIDTH) blocks.emplace_back(p, first);
    }
};

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

// A^t of each variable into its row, from A^{t+1}; `first` is 0 and `width` n where there is a chain.
inline void step_back(const Modulated& p, int64_t t, int64_t first, int64_t width, Carry& c, const double* later,
                      double* const* rows) {
    modulate(p, t, first, width, c.modulation.data());
    if (p.chain == nullptr) return decay_back(p, t, first, width, c.now.data(), c.modulation.data(), later, rows[0]);
    using Block = Columns<MOST>;
    const int64_t stride = p.chain->n_variables > 1 ? rows[1] - rows[0] : 0;
    for (size_t k = 0; k < c.blocks.size(); ++k) {
        const int64_t begin = k * Block::WIDTH, left = width - begin;
        const Block modulation = Block::at(c.modulation.data() + begin, left);
        c.blocks[k].back(t, modulation, rows[0] + begin, stride, std::min(Block::WIDTH, left));
    }
}

}  // namespace snnplast::adjoint
