// What the kernel is given. All arrays are row-major, times first, and of float64 but for histories.
#pragma once

#include <cstdint>
#include <vector>

namespace snnplast::adjoint {

// What was recorded of each neuron, (T, n), or one value of each, (n,): in double precision, or in single precision.
struct History {
    const void* values;
    int64_t single;
    explicit operator bool() const { return values != nullptr; }
    const double* doubles() const { return static_cast<const double*>(values); }
    const float* singles() const { return static_cast<const float*>(values); }
};

struct Signal {
    const double* values;    // (T, k)
    const double* decay;     // (k,), null: not filtered
    const double* feedback;  // (k, n), null: k = n and values act directly
    int64_t k;
};

struct Sweep {
    const int64_t* steps;    // (count,), ascending
    const int64_t* indices;  // (count,), source neurons
    int64_t count, sources, latency;
    int64_t hollow;         // no self-connections, out has n - 1 columns
    const int64_t* starts;  // (sources + 1,), first synapse of each source; null: all pairs are connected
    const int32_t* post;    // (synapses,), target of each synapse; null: all pairs are connected
    const int32_t* delays;  // (synapses,), null: none
    int64_t longest;        // delay
    double* out;            // (synapses,): (sources, n or n - 1) where all pairs are connected
    int64_t variable = 0;   // which A it sees
    const double* gain = nullptr;  // (n,), null: that of the problem
};

struct Chain;

struct Problem {
    int64_t T, n;
    History psi;                 // (T, n), null: 1
    const double* trial;         // (n,), null: 0
    const double *decay, *gain;  // (n,), null where there is a chain
    const double *beta, *rho;    // (n,), null: thresholds do not adapt
    int64_t n_signals;
    const Signal* signals;
    const Chain* chain = nullptr;  // null: one exponential
};

// Spikes by source: rows of A that those of source i see are row[start[i]] .. row[start[i + 1] - 1], in their order.
struct Grouped {
    std::vector<int32_t> start, row;
};

struct alignas(64) CacheLine {
    double values[8];
};

// Memory kept from call to call: allocated anew, every page of it would be faulted in again.
struct Scratch {
    std::vector<std::vector<double>> filtered;
    std::vector<Grouped> groups;
    std::vector<double> weights;
    std::vector<CacheLine> rows;

    // A of a block, at least so many values.
    double* adjoint(size_t count) {
        if (rows.size() * 8 < count) rows.resize(count / 8 + 1);
        return rows.data()->values;
    }
};

}  // namespace snnplast::adjoint
