// The gradient of one trial after the other as a stage of theirs, and its sums.
#pragma once

#include <algorithm>

#include "../adjoint.h"
#include "../sums.h"
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
    Sums sums;  // of each sweep
};

inline int64_t sweep_trial(SweptTrials& s, int64_t trial, Scratch& scratch) {
    for (int64_t g = 0; g < s.n_given; ++g) {
        if (g == 0)
            std::copy(s.given[0], s.given[0] + s.problem.n, s.trial);
        else
            add(s.given[g], s.trial, s.problem.n);
    }
    for (int64_t k = 0; k < s.n_sweeps; ++k) {
        s.sweeps[k].steps = s.fired[k]->steps;
        s.sweeps[k].indices = s.fired[k]->indices;
        s.sweeps[k].count = s.fired[k]->count;
        s.sweeps[k].out = room(s.sums, k, trial);
    }
    gradient(s.problem, s.n_sweeps, s.sweeps, scratch);
    for (int64_t k = 0; k < s.n_sweeps && s.divisor != 1.0; ++k)
        for (int64_t i = 0; i < s.sums.sizes[k]; ++i) s.sweeps[k].out[i] /= s.divisor;
    sum_up(s.sums, trial);
    return 0;
}

}  // namespace snnplast::adjoint
