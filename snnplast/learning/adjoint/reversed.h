// A of a block of neurons whose input goes through one exponential, from the last step to the first.
#pragma once

#include <vector>

#include "columns.h"
#include "modulation.h"

namespace snnplast::adjoint {

// C^t of a block.
template <int Q>
class BlockModulation {
    using Block = Columns<Q>;

    // What a step adds: a value of a signal times weights, or the neurons' own values where there are none.
    struct Term {
        const double* values;
        int64_t stride;  // from step to step
        const double* weights;
    };

    const Block trial;
    std::vector<Term> terms;

public:
    // Keeps the weights of all signals in `padded`.
    BlockModulation(const Modulated& p, int64_t first, std::vector<double>& padded)
        : trial(p.trial ? Block::at(p.trial + first, p.n - first) : Block::all(0.0)) {
        int64_t columns = 0;
        for (int64_t s = 0; s < p.n_signals; ++s) columns += p.signals[s].feedback ? p.signals[s].k : 0;
        padded.resize(columns * Block::WIDTH);
        double* weights = padded.data();
        for (int64_t s = 0; s < p.n_signals; ++s) {
            const Signal& signal = p.signals[s];
            if (signal.feedback == nullptr) terms.push_back({p.carried[s] + first, p.n, nullptr});
            for (int64_t c = 0; signal.feedback && c < signal.k; ++c, weights += Block::WIDTH) {
                Block::at(signal.feedback + c * p.n + first, (signal.k - c) * p.n - first).store(weights);
                terms.push_back({p.carried[s] + c, signal.k, weights});
            }
        }
    }

    // left: values of a (T, n) array from step t and the first neuron of the block on.
    SNNPLAST_INLINE Block at(int64_t t, int64_t left) const {
        Block sum = trial;
        for (const Term& term : terms) {
            const double* values = term.values + t * term.stride;
            sum = sum + (term.weights ? Block::all(*values) * Block::at(term.weights) : Block::at(values, left));
        }
        return sum;
    }
};

constexpr int64_t AHEAD = 32;  // rows of psi asked for early: no processor foresees strides of n values backwards

// A^t into row t of `rows`.
template <int Q, bool HAS_PSI, bool ADAPTS>
void reversed(const Modulated& p, int64_t first, const BlockModulation<Q>& modulation, double* rows) {
    using Block = Columns<Q>;
    auto constant = [&](const double* of) { return of ? Block::at(of + first, p.n - first) : Block::all(0.0); };
    const Block decay = constant(p.decay), beta = constant(p.beta), rho = constant(p.rho);
    Block after = Block::all(0.0), lambda = after;
    for (int64_t t = p.T - 1; t >= 0; --t) {
        const int64_t left = (p.T - t) * p.n - first;
        if (HAS_PSI && t >= AHEAD) Block::expect(p.psi, (t - AHEAD) * p.n + first);
        Block inside = modulation.at(t, left);
        if (ADAPTS) inside = inside + lambda;
        const Block direct = HAS_PSI ? Block::at(p.psi, t * p.n + first, left) * inside : inside;
        if (ADAPTS) lambda = rho * lambda - beta * direct;
        after = decay * after + direct;
        after.store(rows + t * Block::WIDTH);
    }
}

}  // namespace snnplast::adjoint
