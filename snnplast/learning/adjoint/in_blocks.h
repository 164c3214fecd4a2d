// Where (nearly) all pairs are connected: blocks of target neurons stay in cache for all steps.
#pragma once

#include <algorithm>
#include <vector>

#include "step_back.h"

namespace snnplast::adjoint {

constexpr int64_t BLOCK = 32;

struct Grouped {
    std::vector<int64_t> start, row;  // rows of source i: row[start[i]] .. row[start[i + 1] - 1]
};

inline Grouped group(const Sweep& sweep, int64_t T) {
    int64_t kept = 0;
    while (kept < sweep.count && sweep.steps[kept] + sweep.latency < T) ++kept;
    Grouped result{std::vector<int64_t>(sweep.sources + 1, 0), std::vector<int64_t>(kept)};
    for (int64_t s = 0; s < kept; ++s) ++result.start[sweep.indices[s] + 1];
    for (int64_t i = 0; i < sweep.sources; ++i) result.start[i + 1] += result.start[i];
    std::vector<int64_t> next(result.start.begin(), result.start.end() - 1);
    for (int64_t s = 0; s < kept; ++s) result.row[next[sweep.indices[s]]++] = sweep.steps[s] + sweep.latency;
    return result;
}

inline void store(const Sweep& sweep, int64_t i, int64_t first, int64_t width, int64_t n, const double* sum) {
    if (!sweep.hollow) {
        std::copy(sum, sum + width, sweep.out + i * n + first);
        return;
    }
    double* row = sweep.out + i * (n - 1);
    for (int64_t b = 0; b < width; ++b) {
        const int64_t j = first + b;
        if (j != i) row[j - (j > i)] = sum[b];
    }
}

// Rows of A that source i's synapses onto a block see later than others, from its delays.
inline void lags_of(const Sweep& sweep, int64_t i, int64_t first, int64_t width, int64_t n, int64_t* lags) {
    for (int64_t b = 0; b < width; ++b) {
        const int64_t j = first + b;
        const int64_t k = sweep.hollow ? i * (n - 1) + j - (j > i) : i * n + j;
        lags[b] = sweep.hollow && j == i ? 0 : sweep.delays[k];
    }
}

inline void in_blocks(const Modulated& p, const std::vector<const Sweep*>& sweeps, Scratch& scratch) {
    const int64_t T = p.T, n = p.n;
    int64_t longest = 0;
    std::vector<Grouped> groups;
    for (const Sweep* sweep : sweeps) {
        groups.push_back(group(*sweep, T));
        longest = std::max(longest, sweep->longest);
    }
    const int64_t count = variables(p), length = (T + 1 + longest) * BLOCK;
    std::vector<double>& adjoint = scratch.adjoint;
    if (adjoint.size() < size_t(count * length)) adjoint.resize(count * length);
    for (int64_t v = 0; v < count; ++v)  // rows from T on
        std::fill_n(adjoint.begin() + v * length + T * BLOCK, length - T * BLOCK, 0.0);
    std::vector<double*> rows(count);
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t width = std::min(BLOCK, n - first);
        Carry carry(p, width);
        for (int64_t t = T - 1; t >= 0; --t) {
            for (int64_t v = 0; v < count; ++v) rows[v] = adjoint.data() + v * length + t * BLOCK;
            step_back(p, t, first, width, carry, rows[0] + BLOCK, rows.data());
        }
        for (size_t s = 0; s < sweeps.size(); ++s) {
            const double* seen = adjoint.data() + sweeps[s]->variable * length;
            const double* gain = sweeps[s]->gain ? sweeps[s]->gain : p.gain;
            for (int64_t i = 0; i < sweeps[s]->sources; ++i) {
                double sum[BLOCK] = {};
                int64_t lags[BLOCK] = {};
                if (sweeps[s]->delays) lags_of(*sweeps[s], i, first, width, n, lags);
                for (int64_t k = groups[s].start[i]; k < groups[s].start[i + 1]; ++k) {
                    const double* row = seen + groups[s].row[k] * BLOCK;
                    if (sweeps[s]->delays)
                        for (int64_t b = 0; b < width; ++b) sum[b] += row[lags[b] * BLOCK + b];
                    else
                        for (int64_t b = 0; b < BLOCK; ++b) sum[b] += row[b];
                }
                for (int64_t b = 0; b < width; ++b) sum[b] *= gain[first + b];
                store(*sweeps[s], i, first, width, n, sum);
            }
        }
    }
}

}  // namespace snnplast::adjoint
