// The factored gradient in one pass backwards in time.
//
//     C^t    = trial + sum over signals of (reverse kappa filter of values^t) @ feedback
//     D^t    = psi^t (C^t + lambda^{t+1})                     (psi = 1 where it is null)
//     lambda = rho lambda^{t+1} - beta D^t                    (adaptive thresholds; 0 where beta is null)
//     A^t    = decay A^{t+1} + D^t
//     out_ij = gain_j sum over spikes (i, s) of A_j^{s + latency + delay_ij}        (A^t = 0 from t = T on)
//
// and of any neuron, linearised along its trajectory: with a the derivative of all that is to come by its d states,
//
//     s^t = psi^t (C^t + sum of a_X k_X^t);  a <- a R^t + s^t g^t;  a <- a U^t;  a <- a P^t;  A_X^t = a_X gate^t,
//
// where A is taken at the point of the step at which spikes arrive, R is the identity where the neuron did not spike,
// and constants of the neuron gather s d distance/dp + a dR/dp + a dU/dp + a dP/dp where each of these acts.
//
// All arrays are row-major float64, times first. Where (nearly) all pairs are connected, blocks of target neurons stay
// in cache for all steps, and sums run in the order of the spikes. Where few are, one row of A at a time is kept, and
// each spike visits its own synapses: sums run in the opposite order.
#include <algorithm>
#include <cstdint>
#include <vector>

namespace {
constexpr int64_t BLOCK = 32;

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
    int64_t hollow;          // no self-connections, out has n - 1 columns
    const int64_t* starts;   // (sources + 1,), first synapse of each source; null: all pairs are connected
    const int32_t* post;     // (synapses,), target of each synapse; null: all pairs are connected
    const int32_t* delays;   // (synapses,), null: none
    int64_t longest;         // delay
    double* out;             // (synapses,): (sources, n or n - 1) where all pairs are connected
    int64_t variable;        // which A it sees
    const double* gain;      // (n,), null: that of the problem
};

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

struct Problem {
    int64_t T, n;
    const double *psi, *trial, *decay, *gain, *beta, *rho;
    int64_t n_signals;
    const Signal* signals;
    std::vector<std::vector<double>> carried;  // values of each signal, filtered
    const Chain* chain = nullptr;              // null: one exponential
    int64_t variables() const { return chain ? chain->n_variables : 1; }
};

// What is carried from step to step for `width` neurons: lambda, or the states' derivatives.
struct Carry {
    std::vector<double> now, next, direct, modulation;
    Carry(const Problem& p, int64_t width)
        : now((p.chain ? p.chain->size : 1) * width), next(now.size()), direct(width), modulation(width) {}
};

// Reverse filter of the k columns, scaled by 1 - decay.
std::vector<double> filtered(const Signal& signal, int64_t T) {
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
inline void modulate(const Problem& p, int64_t t, int64_t first, int64_t width, double* __restrict modulation) {
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

// One step back in time of one exponential: A^t into `row`, from A^{t+1} in `later`.
inline void decay_back(const Problem& p, int64_t t, int64_t first, int64_t width, double* __restrict lambda,
                       const double* __restrict modulation, const double* __restrict later, double* __restrict row) {
    const double *psi = p.psi ? p.psi + t * p.n + first : nullptr, *decay = p.decay + first;
    for (int64_t b = 0; b < width; ++b) {
        const double inside = modulation[b] + lambda[b];
        const double direct = psi ? psi[b] * inside : inside;
        if (p.beta) lambda[b] = p.rho[first + b] * lambda[b] - p.beta[first + b] * direct;
        row[b] = decay[b] * later[b] + direct;
    }
}

// a times a matrix whose `rows` are given by entries; unit rows elsewhere, and where `mask` is 0.
void times(Carry& c, const Entries& entries, const Rows& rows, const double* mask, int64_t t, int64_t first,
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
void gather(const Problem& p, const Carry& c, const Entries& entries, const double* weight, const double* mask,
            int64_t t, int64_t first, int64_t width) {
    for (const Entry& e : entries) {
        const double *by = weight ? weight : c.now.data() + e.row * width, *values = e.at(t, first);
        double* total = p.chain->parameters + e.column * p.n + first;
        for (int64_t b = 0; b < width; ++b) total[b] += by[b] * values[b] * (mask ? mask[b] : 1.0);
    }
}

// One step back in time of a chain: A^t of each variable into rows[variable].
void chain_back(const Problem& p, int64_t t, int64_t first, int64_t width, Carry& c, double* const* rows) {
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

// One step back in time for neurons first .. first + width - 1: A^t of each variable into its row, from A^{t+1}.
inline void step_back(const Problem& p, int64_t t, int64_t first, int64_t width, Carry& c, const double* later,
                      double* const* rows) {
    modulate(p, t, first, width, c.modulation.data());
    if (p.chain)
        chain_back(p, t, first, width, c, rows);
    else
        decay_back(p, t, first, width, c.now.data(), c.modulation.data(), later, rows[0]);
}

struct Grouped {
    std::vector<int64_t> start, row;  // rows of source i: row[start[i]] .. row[start[i + 1] - 1]
};

Grouped group(const Sweep& sweep, int64_t T) {
    int64_t kept = 0;
    while (kept < sweep.count && sweep.steps[kept] + sweep.latency < T) ++kept;
    Grouped result{std::vector<int64_t>(sweep.sources + 1, 0), std::vector<int64_t>(kept)};
    for (int64_t s = 0; s < kept; ++s) ++result.start[sweep.indices[s] + 1];
    for (int64_t i = 0; i < sweep.sources; ++i) result.start[i + 1] += result.start[i];
    std::vector<int64_t> next(result.start.begin(), result.start.end() - 1);
    for (int64_t s = 0; s < kept; ++s) result.row[next[sweep.indices[s]]++] = sweep.steps[s] + sweep.latency;
    return result;
}

void store(const Sweep& sweep, int64_t i, int64_t first, int64_t width, int64_t n, const double* sum) {
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
void lags_of(const Sweep& sweep, int64_t i, int64_t first, int64_t width, int64_t n, int64_t* lags) {
    for (int64_t b = 0; b < width; ++b) {
        const int64_t j = first + b;
        const int64_t k = sweep.hollow ? i * (n - 1) + j - (j > i) : i * n + j;
        lags[b] = sweep.hollow && j == i ? 0 : sweep.delays[k];
    }
}

void in_blocks(const Problem& p, const std::vector<const Sweep*>& sweeps) {
    const int64_t T = p.T, n = p.n;
    int64_t longest = 0;
    std::vector<Grouped> groups;
    for (const Sweep* sweep : sweeps) {
        groups.push_back(group(*sweep, T));
        longest = std::max(longest, sweep->longest);
    }
    const int64_t variables = p.variables(), length = (T + 1 + longest) * BLOCK;
    std::vector<double> adjoint(variables * length);  // rows from T on stay 0
    std::vector<double*> rows(variables);
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t width = std::min(BLOCK, n - first);
        Carry carry(p, width);
        for (int64_t t = T - 1; t >= 0; --t) {
            for (int64_t v = 0; v < variables; ++v) rows[v] = adjoint.data() + v * length + t * BLOCK;
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

// Asks for the synapses of the source that comes next, which lie anywhere in memory.
inline void expect(const Sweep& sweep, int64_t i) {
    for (int64_t k = sweep.starts[i]; k < sweep.starts[i + 1]; k += 8) {
        __builtin_prefetch(sweep.out + k, 1);
        __builtin_prefetch(sweep.post + k);
    }
}

// Adds what the synapses of a source that spiked see at step t. `ring` holds A^t, A^{t+1}, ... by step modulo `rows`.
void visit(const Sweep& sweep, int64_t i, const double* ring, int64_t rows, int64_t t, int64_t n) {
    const double* now = ring + t % rows * n;
    for (int64_t k = sweep.starts[i]; k < sweep.starts[i + 1]; ++k)
        sweep.out[k] += sweep.delays ? ring[(t + sweep.delays[k]) % rows * n + sweep.post[k]] : now[sweep.post[k]];
}

void by_spike(const Problem& p, const std::vector<const Sweep*>& sweeps) {
    const int64_t n = p.n;
    int64_t rows = 2;
    std::vector<int64_t> left;  // spikes of each sweep that are still to come, backwards
    for (const Sweep* sweep : sweeps) {
        rows = std::max(rows, sweep->longest + 1);
        left.push_back(sweep->count);
        std::fill(sweep->out, sweep->out + sweep->starts[sweep->sources], 0.0);
    }
    const int64_t variables = p.variables();
    std::vector<double> ring(variables * rows * n);
    std::vector<double*> now(variables);
    Carry carry(p, n);
    for (int64_t t = p.T - 1; t >= 0; --t) {
        for (int64_t v = 0; v < variables; ++v) now[v] = ring.data() + (v * rows + t % rows) * n;
        step_back(p, t, 0, n, carry, ring.data() + (t + 1) % rows * n, now.data());
        for (size_t s = 0; s < sweeps.size(); ++s) {
            const Sweep& sweep = *sweeps[s];
            while (left[s] && sweep.steps[left[s] - 1] + sweep.latency > t) --left[s];
            for (; left[s] && sweep.steps[left[s] - 1] + sweep.latency == t; --left[s]) {
                if (left[s] > 1) expect(sweep, sweep.indices[left[s] - 2]);
                visit(sweep, sweep.indices[left[s] - 1], ring.data() + sweep.variable * rows * n, rows, t, n);
            }
        }
    }
    for (const Sweep* sweep : sweeps) {
        const double* gain = sweep->gain ? sweep->gain : p.gain;
        for (int64_t k = 0; k < sweep->starts[sweep->sources]; ++k) sweep->out[k] *= gain[sweep->post[k]];
    }
}

void sweep_back(Problem& problem, int64_t n_sweeps, const Sweep* sweeps) {
    for (int64_t s = 0; s < problem.n_signals; ++s) problem.carried.push_back(filtered(problem.signals[s], problem.T));
    std::vector<const Sweep*> dense, sparse;
    for (int64_t s = 0; s < n_sweeps; ++s) (sweeps[s].post ? sparse : dense).push_back(sweeps + s);
    if (problem.chain && !dense.empty() && !sparse.empty()) {  // constants of the neuron gather in one of the two
        Chain without = *problem.chain;
        without.by_slope = without.by_reset = without.by_updates = without.by_flow = without.initial = {nullptr, 0};
        in_blocks(problem, dense);
        problem.chain = &without;
        by_spike(problem, sparse);
        return;
    }
    const bool gathers = problem.chain && sparse.empty();  // constants of the neuron, whatever is swept
    if (!dense.empty() || gathers) in_blocks(problem, dense);
    if (!sparse.empty()) by_spike(problem, sparse);
}
}  // namespace

extern "C" __attribute__((visibility("default"))) void adjoint_gradient(
    int64_t T, int64_t n, const double* psi, const double* trial, const double* decay, const double* gain,
    const double* beta, const double* rho, int64_t n_signals, const Signal* signals, int64_t n_sweeps,
    const Sweep* sweeps) {
    Problem problem{T, n, psi, trial, decay, gain, beta, rho, n_signals, signals, {}};
    sweep_back(problem, n_sweeps, sweeps);
}

extern "C" __attribute__((visibility("default"))) void chain_gradient(int64_t T, int64_t n, const double* psi,
                                                                      const double* trial, const Chain* chain,
                                                                      int64_t n_signals, const Signal* signals,
                                                                      int64_t n_sweeps, const Sweep* sweeps) {
    Problem problem{T, n, psi, trial, nullptr, nullptr, nullptr, nullptr, n_signals, signals, {}, chain};
    sweep_back(problem, n_sweeps, sweeps);
}
