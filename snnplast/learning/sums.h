// Gradients of one trial after the other, summed: first in chunks, then over these.
#pragma once

#include <algorithm>
#include <cstdint>

namespace snnplast {

struct Sums {
    int64_t chunk, count;                               // trials of a chunk; arrays
    double *const *outs, *const *sums, *const *totals;  // of each: of a trial, of a chunk, of the chunks before
    const int64_t* sizes;
};

inline void add(const double* __restrict values, double* __restrict total, int64_t count) {
    for (int64_t k = 0; k < count; ++k) total[k] += values[k];
}

// Where a trial writes array k.
inline double* room(const Sums& s, int64_t k, int64_t trial) { return trial % s.chunk == 0 ? s.sums[k] : s.outs[k]; }

// All arrays of a trial are there.
inline void sum_up(const Sums& s, int64_t trial) {
    for (int64_t k = 0; k < s.count; ++k) {
        if (trial % s.chunk != 0) add(s.outs[k], s.sums[k], s.sizes[k]);
        if (trial % s.chunk != s.chunk - 1) continue;
        if (trial < s.chunk)
            std::copy(s.sums[k], s.sums[k] + s.sizes[k], s.totals[k]);
        else
            add(s.sums[k], s.totals[k], s.sizes[k]);
    }
}

}  // namespace snnplast
