// The factored gradient in one pass backwards in time.
//
//     C^t    = trial + sum over signals of (reverse kappa filter of values^t) @ feedback
//     D^t    = psi^t (C^t + lambda^{t+1})                     (psi = 1 where it is null)
//     lambda = rho lambda^{t+1} - beta D^t                    (adaptive thresholds; 0 where beta is null)
//     A^t    = decay A^{t+1} + D^t
//     out_ij = gain_j sum over spikes (i, s) of A_j^{s + latency + delay_ij}        (A^t = 0 from t = T on)
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
};

struct Problem {
    int64_t T, n;
    const double *psi, *trial, *decay, *gain, *beta, *rho;
    int64_t n_signals;
    const Signal* signals;
    std::vector<std::vector<double>> carried;  // values of each signal, filtered
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

// One step back in time for neurons first .. first + width - 1: A^t into `row`, from A^{t+1} in `later`.
inline void step_back(const Problem& p, int64_t t, int64_t first, int64_t width, double* __restrict lambda,
                      double* __restrict modulation, const double* __restrict later, double* __restrict row) {
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
    const double *psi = p.psi ? p.psi + t * p.n + first : nullptr, *decay = p.decay + first;
    for (int64_t b = 0; b < width; ++b) {
        const double inside = modulation[b] + lambda[b];
        const double direct = psi ? psi[b] * inside : inside;
        if (p.beta) lambda[b] = p.rho[first + b] * lambda[b] - p.beta[first + b] * direct;
        row[b] = decay[b] * later[b] + direct;
    }
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
    std::vector<double> adjoint((T + 1 + longest) * BLOCK);  // rows from T on stay 0
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t width = std::min(BLOCK, n - first);
        double lambda[BLOCK] = {}, modulation[BLOCK];
        for (int64_t t = T - 1; t >= 0; --t) {
            double* row = adjoint.data() + t * BLOCK;
            step_back(p, t, first, width, lambda, modulation, row + BLOCK, row);
        }
        for (size_t s = 0; s < sweeps.size(); ++s)
            for (int64_t i = 0; i < sweeps[s]->sources; ++i) {
                double sum[BLOCK] = {};
                int64_t lags[BLOCK] = {};
                if (sweeps[s]->delays) lags_of(*sweeps[s], i, first, width, n, lags);
                for (int64_t k = groups[s].start[i]; k < groups[s].start[i + 1]; ++k) {
                    const double* row = adjoint.data() + groups[s].row[k] * BLOCK;
                    if (sweeps[s]->delays)
                        for (int64_t b = 0; b < width; ++b) sum[b] += row[lags[b] * BLOCK + b];
                    else
                        for (int64_t b = 0; b < BLOCK; ++b) sum[b] += row[b];
                }
                for (int64_t b = 0; b < width; ++b) sum[b] *= p.gain[first + b];
                store(*sweeps[s], i, first, width, n, sum);
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
void visit(const Sweep& sweep, int64_t i, const std::vector<double>& ring, int64_t rows, int64_t t, int64_t n) {
    const double* now = ring.data() + t % rows * n;
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
    std::vector<double> ring(rows * n), lambda(n), modulation(n);
    for (int64_t t = p.T - 1; t >= 0; --t) {
        step_back(p, t, 0, n, lambda.data(), modulation.data(), ring.data() + (t + 1) % rows * n,
                  ring.data() + t % rows * n);
        for (size_t s = 0; s < sweeps.size(); ++s) {
            const Sweep& sweep = *sweeps[s];
            while (left[s] && sweep.steps[left[s] - 1] + sweep.latency > t) --left[s];
            for (; left[s] && sweep.steps[left[s] - 1] + sweep.latency == t; --left[s]) {
                if (left[s] > 1) expect(sweep, sweep.indices[left[s] - 2]);
                visit(sweep, sweep.indices[left[s] - 1], ring, rows, t, n);
            }
        }
    }
    for (const Sweep* sweep : sweeps)
        for (int64_t k = 0; k < sweep->starts[sweep->sources]; ++k) sweep->out[k] *= p.gain[sweep->post[k]];
}
}  // namespace

extern "C" __attribute__((visibility("default"))) void adjoint_gradient(
    int64_t T, int64_t n, const double* psi, const double* trial, const double* decay, const double* gain,
    const double* beta, const double* rho, int64_t n_signals, const Signal* signals, int64_t n_sweeps,
    const Sweep* sweeps) {
    Problem problem{T, n, psi, trial, decay, gain, beta, rho, n_signals, signals, {}};
    for (int64_t s = 0; s < n_signals; ++s) problem.carried.push_back(filtered(signals[s], T));
    std::vector<const Sweep*> dense, sparse;
    for (int64_t s = 0; s < n_sweeps; ++s) (sweeps[s].post ? sparse : dense).push_back(sweeps + s);
    if (!dense.empty()) in_blocks(problem, dense);
    if (!sparse.empty()) by_spike(problem, sparse);
}
