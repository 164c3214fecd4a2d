// One step back in time of all neurons of a population.
#pragma once

#include <algorithm>
#include <vector>

#include "chain.h"
#include "modulation.h"

namespace snnplast::adjoint {

inline int64_t variables(const Problem& p) { return p.chain ? p.chain->n_variables : 1; }

// What is carried from step to step: lambda, or the states' derivatives.
struct Carry {
    std::vector<double> now, modulation;
    std::vector<ChainBlock<MOST>> blocks;

    explicit Carry(const Problem& p) : now(p.n), modulation(p.n) {
        for (int64_t first = 0; p.chain && first < p.n; first += Columns<MOST>::WIDTH) blocks.emplace_back(p, first);
    }
};

// One step back in time of one exponential: A^t into `row`, from A^{t+1} in `later`, which may be the same.
// psi: of this step, null: 1.
template <class Real>
void decay_back(const Problem& p, const Real* psi, int64_t first, int64_t width, double* __restrict lambda,
                const double* __restrict modulation, const double* later, double* row) {
    const double* decay = p.decay + first;
#pragma GCC ivdep
    for (int64_t b = 0; b < width; ++b) {
        const double inside = modulation[b] + lambda[b];
        const double direct = psi ? psi[b] * inside : inside;
        if (p.beta) lambda[b] = p.rho[first + b] * lambda[b] - p.beta[first + b] * direct;
        row[b] = decay[b] * later[b] + direct;
    }
}

// A^t of each variable into its row, from A^{t+1}; of one exponential in stretches that stay in cache from C^t on.
inline void step_back(const Modulated& p, int64_t t, Carry& c, const double* later, double* const* rows) {
    if (p.chain == nullptr) {
        constexpr int64_t STRETCH = 1024;
        for (int64_t first = 0; first < p.n; first += STRETCH) {
            const int64_t width = std::min(STRETCH, p.n - first);
            modulate(p, t, first, width, c.modulation.data());
            auto back = [&](auto psi) {
                if (psi) psi += t * p.n + first;
                decay_back(p, psi, first, width, c.now.data() + first, c.modulation.data(), later + first,
                           rows[0] + first);
            };
            p.psi.single ? back(p.psi.singles()) : back(p.psi.doubles());
        }
        return;
    }
    using Block = Columns<MOST>;
    modulate(p, t, 0, p.n, c.modulation.data());
    const int64_t stride = p.chain->n_variables > 1 ? rows[1] - rows[0] : 0;
    for (size_t k = 0; k < c.blocks.size(); ++k) {
        const int64_t begin = k * Block::WIDTH, left = p.n - begin;
        const Block modulation = Block::at(c.modulation.data() + begin, left);
        c.blocks[k].back(t, modulation, rows[0] + begin, stride, std::min(Block::WIDTH, left));
    }
}

}  // namespace snnplast::adjoint
