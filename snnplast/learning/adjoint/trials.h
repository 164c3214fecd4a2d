// The gradient of one trial after the other as a stage of theirs, and its sums.
#pragma once

#include <algorithm>

#include "../adjoint.h"
#include "stage.h"

namespace snnplast::adjoint {

struct SweptTrials {
    Problem problem;
    int64_t n_sweeps;
    Sweep* sweeps;
    const Fired* const* fired;  // spikes of each sweep's sources
    int64_t n_given;
    const double* const* given;  // signals of the trial, (n,) each
    double* trial;               // their sum
    double divisor;
    int64_t chunk;                            // trials that are summed before their sum is added to others
    double *const *outs, *const *sums, *const *totals;  // of each sweep: of a trial, of a chunk, of the chunks before
    const int64_t* synapses;
};

inline void add(const double* __restrict values, double* __restrict total, int64_t count) {
    for (int64_t k = 0; k < count; ++k) total[k] += values[k];
}

inline int64_t sweep_trial(SweptTrials& s, int64_t trial, Scratch& scratch) {
    for (int64_t g = 0; g < s.n_given; ++g) {
        if (g == 0)
            std::copy(s.given[0], s.given[0] + s.problem.n, s.trial);
        else
            add(s.given[g], s.trial, s.problem.n);
    }
    const bool first = trial % s.chunk == 0;
    for (int64_t k = 0; k < s.n_sweeps; ++k) {
        s.sweeps[k].steps = s.fired[k]->steps;
        s.sweeps[k].indices = s.fired[k]->indices;
        s.sweeps[k].count = s.fired[k]->count;
        s.sweeps[k].out = first ? s.sums[k] : s.outs[k];
    }
    gradient(s.problem, s.n_sweeps, s.sweeps, scratch);
    for (int64_t k = 0; k < s.n_sweeps; ++k) {
        double* out = s.sweeps[k].out;
        const int64_t count = s.synapses[k];
        if (s.divisor != 1.0)
            for (int64_t i = 0; i < count; ++i) out[i] /= s.divisor;
        if (!first) add(out, s.sums[k], count);
        if (trial % s.chunk != s.chunk - 1) continue;
        if (trial < s.chunk)
            std::copy(s.sums[k], s.sums[k] + count, s.totals[k]);
        else
            add(s.sums[k], s.totals[k], count);
    }
    return 0;
}

}  // namespace snnplast::adjoint
