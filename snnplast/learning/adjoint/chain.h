// A neuron linearised along its trajectory, one step back in time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "modulation.h"

namespace snnplast::adjoint {

// An entry of a matrix or vector per neuron: constant where stride is 0, else one row of n values per step.
struct Entry {
    int64_t row, column;
    const double* values;
    int64_t stride;
    const double* at(int64_t t, int64_t first) const { return values + t * stride + first; }
};

struct Entries {
    const Entry* entries;
    int64_t count;
    const Entry* begin() const { return entries; }
    const Entry* end() const { return entries + count; }
};

struct Rows {
    const int64_t* rows;  // those that are no unit rows
    int64_t count;
    const int64_t* begin() const { return rows; }
    const int64_t* end() const { return rows + count; }
};

enum Point : int64_t { BEFORE_THRESHOLD, BEFORE_RESET, BEFORE_FLOW };

struct Chain {
    int64_t size;
    Entries flow, updates, reset, slope, kicks;  // slope, kicks: by row
    Rows updated, changed;                       // rows of updates and of reset
    const double* spiked;                        // (T, n), null: the reset changes nothing
    int64_t n_variables;
    const int64_t *states, *points;              // of each A
    const double* const* gates;                  // (T, n) each, null: open
    Entries by_slope, by_reset, by_updates, by_flow, initial;  // column: which parameter
    double* parameters;                          // (parameters, n)
};

// What is carried from step to step for `width` neurons: lambda, or the states' derivatives.
struct Carry {
    std::vector<double> now, next, direct, modulation;
    Carry(const Problem& p, int64_t width)
        : now((p.chain ? p.chain->size : 1) * width), next(now.size()), direct(width), modulation(width) {}
};

// a times a matrix whose `rows` are given by entries; unit rows elsewhere, and where `mask` is 0.
inline void times(Carry& c, const Entries& entries, const Rows& rows, const double* mask, int64_t t, int64_t first,
           int64_t width) {
    if (rows.count == 0) return;
    std::copy(c.now.begin(), c.now.end(), c.next.begin());
    for (int64_t row : rows) {
        const double* a = c.now.data() + row * width;
        double* after = c.next.data() + row * width;
        if (mask)
            for (int64_t b = 0; b < width; ++b) after[b] -= mask[b] * a[b];
        else
            std::fill(after, after + width, 0.0);
    }
    for (const Entry& e : entries) {
        const double *a = c.now.data() + e.row * width, *values = e.at(t, first);
        double* __restrict after = c.next.data() + e.column * width;
        if (mask)
            for (int64_t b = 0; b < width; ++b) after[b] += mask[b] * (a[b] * values[b]);
        else
            for (int64_t b = 0; b < width; ++b) after[b] += a[b] * values[b];
    }
    c.now.swap(c.next);
}

// What constants of the neuron gather: weight (the states' derivatives where null) times entries, where `mask` is 1.
inline void gather(const Problem& p, const Carry& c, const Entries& entries, const double* weight, const double* mask,
            int64_t t, int64_t first, int64_t width) {
    for (const Entry& e : entries) {
        const double *by = weight ? weight : c.now.data() + e.row * width, *values = e.at(t, first);
        double* total = p.chain->parameters + e.column * p.n + first;
        for (int64_t b = 0; b < width; ++b) total[b] += by[b] * values[b] * (mask ? mask[b] : 1.0);
    }
}

// One step back in time of a chain: A^t of each variable into rows[variable].
inline void chain_back(const Problem& p, int64_t t, int64_t first, int64_t width, Carry& c, double* const* rows) {
    const Chain& chain = *p.chain;
    const double *psi = p.psi + t * p.n + first, *spiked = chain.spiked ? chain.spiked + t * p.n + first : nullptr;
    double* __restrict s = c.direct.data();
    auto arrive = [&](int64_t point) {
        for (int64_t v = 0; v < chain.n_variables; ++v) {
            if (chain.points[v] != point) continue;
            const double *a = c.now.data() + chain.states[v] * width, *gate = chain.gates[v];
            for (int64_t b = 0; b < width; ++b) rows[v][b] = gate ? a[b] * gate[t * p.n + first + b] : a[b];
        }
    };
    std::copy(c.modulation.begin(), c.modulation.end(), s);
    for (const Entry& e : chain.kicks) {
        const double *a = c.now.data() + e.row * width, *values = e.at(t, first);
        for (int64_t b = 0; b < width; ++b) s[b] += a[b] * values[b];
    }
    for (int64_t b = 0; b < width; ++b) s[b] *= psi[b];
    gather(p, c, chain.by_slope, s, nullptr, t, first, width);
    gather(p, c, chain.by_reset, nullptr, spiked, t, first, width);
    times(c, chain.reset, chain.changed, spiked, t, first, width);
    arrive(BEFORE_RESET);
    for (const Entry& e : chain.slope) {
        const double* values = e.at(t, first);
        double* __restrict a = c.now.data() + e.row * width;
        for (int64_t b = 0; b < width; ++b) a[b] += s[b] * values[b];
    }
    gather(p, c, chain.by_updates, nullptr, nullptr, t, first, width);
    times(c, chain.updates, chain.updated, nullptr, t, first, width);
    arrive(BEFORE_THRESHOLD);
    gather(p, c, chain.by_flow, nullptr, nullptr, t, first, width);
    std::fill(c.next.begin(), c.next.end(), 0.0);
    for (const Entry& e : chain.flow) {
        const double *a = c.now.data() + e.row * width, *values = e.at(t, first);
        double* __restrict before = c.next.data() + e.column * width;
        for (int64_t b = 0; b < width; ++b) before[b] += a[b] * values[b];
    }
    c.now.swap(c.next);
    arrive(BEFORE_FLOW);
    if (t == 0) gather(p, c, chain.initial, nullptr, nullptr, 0, first, width);
}

}  // namespace snnplast::adjoint
