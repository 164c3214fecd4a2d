// Where few pairs are connected: one row of A at a time is kept, and each spike visits its own synapses.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "columns.h"
#include "step_back.h"

namespace snnplast::adjoint {

constexpr int64_t SPIKES_AHEAD = 4;

// Asks for the synapses of a source that comes soon, which lie anywhere in memory. Unless it is inlined early, gcc takes
// a function that only asks for one that does nothing.
SNNPLAST_INLINE void expect(const Sweep& sweep, int64_t i) {
    const int64_t begin = sweep.starts[i], end = sweep.starts[i + 1];
    for (int64_t k = begin; k < end; k += 8) __builtin_prefetch(sweep.out + k, 1);
    for (int64_t k = begin; k < end; k += 16) __builtin_prefetch(sweep.post + k);
}

// Adds what the synapses of a source that spiked see at step t. `ring` holds A^t, A^{t+1}, ... by step modulo `rows`.
inline void visit(const Sweep& sweep, int64_t i, const double* ring, int64_t rows, int64_t t, int64_t n) {
    const int64_t begin = sweep.starts[i], end = sweep.starts[i + 1];
    const int32_t* post = sweep.post;
    double* __restrict out = sweep.out;
    if (sweep.delays)
        for (int64_t k = begin; k < end; ++k) out[k] += ring[(t + sweep.delays[k]) % rows * n + post[k]];
    else {
        const double* __restrict now = ring + t % rows * n;
        for (int64_t k = begin; k < end; ++k) out[k] += now[post[k]];
    }
}

// From the last step to the first, in as many stretches as histories come in.
class BySpike {
    const std::vector<const Sweep*> sweeps;
    const int64_t n, variable_count;
    int64_t rows = 1;
    std::vector<int64_t> left;  // spikes of each sweep that are still to come, backwards
    std::vector<double> ring;
    std::vector<double*> now;
    Carry carry;

public:
    BySpike(const Modulated& p, std::vector<const Sweep*> given)
        : sweeps(std::move(given)), n(p.n), variable_count(variables(p)), now(variable_count), carry(p) {
        for (const Sweep* sweep : sweeps) {
            rows = std::max(rows, sweep->longest + 1);
            left.push_back(sweep->count);
            std::fill(sweep->out, sweep->out + sweep->starts[sweep->sources], 0.0);
        }
        ring.resize(variable_count * rows * n);
    }

    // Steps end - 1 to begin.
    void back(const Modulated& p, int64_t begin, int64_t end) {
        for (int64_t t = end - 1; t >= begin; --t) {
            for (int64_t v = 0; v < variable_count; ++v) now[v] = ring.data() + (v * rows + t % rows) * n;
            step_back(p, t, carry, ring.data() + (t + 1) % rows * n, now.data());
            for (size_t s = 0; s < sweeps.size(); ++s) {
                const Sweep& sweep = *sweeps[s];
                while (left[s] && sweep.steps[left[s] - 1] + sweep.latency > t) --left[s];
                for (; left[s] && sweep.steps[left[s] - 1] + sweep.latency == t; --left[s]) {
                    if (left[s] > SPIKES_AHEAD) expect(sweep, sweep.indices[left[s] - 1 - SPIKES_AHEAD]);
                    visit(sweep, sweep.indices[left[s] - 1], ring.data() + sweep.variable * rows * n, rows, t, n);
                }
            }
        }
    }

    void finish(const Modulated& p) {
        for (const Sweep* sweep : sweeps) {
            const double* gain = sweep->gain ? sweep->gain : p.gain;
            for (int64_t k = 0; k < sweep->starts[sweep->sources]; ++k) sweep->out[k] *= gain[sweep->post[k]];
        }
    }
};

inline void by_spike(const Modulated& p, const std::vector<const Sweep*>& sweeps) {
    BySpike walk(p, sweeps);
    walk.back(p, 0, p.T);
    walk.finish(p);
}

// A gradient of sparse projections whose psi comes in blocks of steps, the last one first.
struct InStretches {
    Scratch scratch;
    Modulated problem;
    BySpike walk;

    InStretches(const Problem& given, int64_t n_sweeps, const Sweep* sweeps)
        : problem(given, scratch), walk(problem, pointers(n_sweeps, sweeps)) {}

    static std::vector<const Sweep*> pointers(int64_t count, const Sweep* sweeps) {
        std::vector<const Sweep*> result;
        for (int64_t s = 0; s < count; ++s) result.push_back(sweeps + s);
        return result;
    }

    // psi: (end - begin, n).
    void back(History psi, int64_t begin, int64_t end) {
        const int64_t before = begin * problem.n * (psi.single ? sizeof(float) : sizeof(double));
        problem.psi = {static_cast<const char*>(psi.values) - before, psi.single};
        walk.back(problem, begin, end);
        if (begin == 0) walk.finish(problem);
    }
};

}  // namespace snnplast::adjoint
