// The response of a trial: rate representations are there, and what is clocked once per trial acts.
#pragma once

#include <cmath>
#include <cstdint>

#include "stage.h"

namespace snnplast {

struct Represented {  // z = (r - mean r) / sqrt(var r + offset), as `LayerNorm`; sums in the order of the neurons
    const Fired* fired;
    int64_t n;
    double duration, offset;
    double* z;
};

inline double total(const double* values, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += values[i];
    return sum;
}

inline void represent(const Represented& r) {
    const auto n = static_cast<double>(r.n);
    for (int64_t i = 0; i < r.n; ++i) r.z[i] = 0.0;
    for (int64_t k = 0; k < r.fired->count; ++k) r.z[r.fired->indices[k]] += 1.0;
    for (int64_t i = 0; i < r.n; ++i) r.z[i] /= r.duration;
    const double mean = total(r.z, r.n) / n;
    double squares = 0.0;
    for (int64_t i = 0; i < r.n; ++i) {
        r.z[i] -= mean;
        squares += r.z[i] * r.z[i];
    }
    const double deviation = std::sqrt(squares / n + r.offset);
    for (int64_t i = 0; i < r.n; ++i) r.z[i] /= deviation;
}

}  // namespace snnplast
