// C^t: what multiplies the unfiltered traces.
#pragma once

#include <algorithm>
#include <vector>

#include "problem.h"

namespace snnplast::adjoint {

// Reverse filter of the k columns, scaled by 1 - decay. A row of zeros follows the T rows.
inline void filter(const Signal& signal, int64_t T, std::vector<double>& result) {
    const int64_t k = signal.k;
    result.assign(signal.values, signal.values + T * k);
    result.resize((T + 1) * k, 0.0);
    for (int64_t t = T - 1; t >= 0; --t) {
        double *row = result.data() + t * k, *later = row + k;
        for (int64_t c = 0; c < k; ++c) row[c] = signal.decay[c] * later[c] + (1 - signal.decay[c]) * row[c];
    }
}

// A problem whose signals have been filtered.
struct Modulated : Problem {
    std::vector<const double*> carried;  // (T, k) of each signal

    Modulated(const Problem& problem, Scratch& scratch) : Problem(problem), carried(n_signals) {
        scratch.filtered.resize(std::max<size_t>(scratch.filtered.size(), n_signals));
        for (int64_t s = 0; s < n_signals; ++s) {
            if (signals[s].decay) filter(signals[s], T, scratch.filtered[s]);
            carried[s] = signals[s].decay ? scratch.filtered[s].data() : signals[s].values;
        }
    }
};

// C^t for neurons first .. first + width - 1.
inline void modulate(const Modulated& p, int64_t t, int64_t first, int64_t width, double* __restrict modulation) {
    for (int64_t b = 0; b < width; ++b) modulation[b] = p.trial ? p.trial[first + b] : 0.0;
    for (int64_t s = 0; s < p.n_signals; ++s) {
        const double* values = p.carried[s] + t * p.signals[s].k;
        if (p.signals[s].feedback == nullptr)
            for (int64_t b = 0; b < width; ++b) modulation[b] += values[first + b];
        else
            for (int64_t c = 0; c < p.signals[s].k; ++c) {
                const double* weights = p.signals[s].feedback + c * p.n + first;
                for (int64_t b = 0; b < width; ++b) modulation[b] += values[c] * weights[b];
            }
    }
}

}  // namespace snnplast::adjoint
