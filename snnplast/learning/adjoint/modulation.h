// C^t: what multiplies the unfiltered traces.
#pragma once

#include <vector>

#include "problem.h"

namespace snnplast::adjoint {

// A problem whose signals have been filtered.
struct Modulated : Problem {
    std::vector<std::vector<double>> carried;  // (T, k) of each signal
    explicit Modulated(const Problem& problem);
};

// Reverse filter of the k columns, scaled by 1 - decay.
inline std::vector<double> filtered(const Signal& signal, int64_t T) {
    std::vector<double> result(signal.values, signal.values + T * signal.k);
    if (signal.decay == nullptr) return result;
    std::vector<double> after(signal.k, 0.0);
    for (int64_t t = T - 1; t >= 0; --t)
        for (int64_t c = 0; c < signal.k; ++c) {
            const double decay = signal.decay[c];
            after[c] = decay * after[c] + (1 - decay) * result[t * signal.k + c];
            result[t * signal.k + c] = after[c];
        }
    return result;
}

// C^t for neurons first .. first + width - 1.
inline void modulate(const Modulated& p, int64_t t, int64_t first, int64_t width, double* __restrict modulation) {
    for (int64_t b = 0; b < width; ++b) modulation[b] = p.trial ? p.trial[first + b] : 0.0;
    for (int64_t s = 0; s < p.n_signals; ++s) {
        const double* values = p.carried[s].data() + t * p.signals[s].k;
        if (p.signals[s].feedback == nullptr)
            for (int64_t b = 0; b < width; ++b) modulation[b] += values[first + b];
        else
            for (int64_t c = 0; c < p.signals[s].k; ++c) {
                const double* weights = p.signals[s].feedback + c * p.n + first;
                for (int64_t b = 0; b < width; ++b) modulation[b] += values[c] * weights[b];
            }
    }
}

inline Modulated::Modulated(const Problem& problem) : Problem(problem) {
    for (int64_t s = 0; s < n_signals; ++s) carried.push_back(filtered(signals[s], T));
}

}  // namespace snnplast::adjoint
