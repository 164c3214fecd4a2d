// The factored gradient in one pass: reverse filters and spike sweep over blocks of target neurons that stay in cache.
//
//     C^t    = trial + sum over signals of (reverse kappa filter of values^t) @ feedback
//     D^t    = psi^t (C^t + lambda^{t+1})                     (psi = 1 where it is null)
//     lambda = rho lambda^{t+1} - beta D^t                    (adaptive thresholds; 0 where beta is null)
//     A^t    = decay A^{t+1} + D^t
//     out_ij = gain_j sum over spikes (i, s) of A_j^{s + latency}
//
// All arrays are row-major float64, times first. Sums run in the order of the spikes.
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
    int64_t count, sources, latency, hollow;  // hollow: no self-connections, out has n - 1 columns
    double* out;             // (sources, n or n - 1)
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
}  // namespace

extern "C" __attribute__((visibility("default"))) void adjoint_gradient(
    int64_t T, int64_t n, const double* psi, const double* trial, const double* decay, const double* gain,
    const double* beta, const double* rho, int64_t n_signals, const Signal* signals, int64_t n_sweeps, const Sweep* sweeps) {
    std::vector<std::vector<double>> carried;
    for (int64_t s = 0; s < n_signals; ++s) carried.push_back(filtered(signals[s], T));
    std::vector<Grouped> groups;
    for (int64_t s = 0; s < n_sweeps; ++s) groups.push_back(group(sweeps[s], T));
    std::vector<double> adjoint(T * BLOCK);
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t width = std::min(BLOCK, n - first);
        double after[BLOCK] = {}, lambda[BLOCK] = {}, modulation[BLOCK];
        for (int64_t t = T - 1; t >= 0; --t) {
            for (int64_t b = 0; b < width; ++b) modulation[b] = trial ? trial[first + b] : 0.0;
            for (int64_t s = 0; s < n_signals; ++s) {
                const double* values = carried[s].data() + t * signals[s].k;
                if (signals[s].feedback == nullptr)
                    for (int64_t b = 0; b < width; ++b) modulation[b] += values[first + b];
                else
                    for (int64_t c = 0; c < signals[s].k; ++c) {
                        const double* weights = signals[s].feedback + c * n + first;
                        for (int64_t b = 0; b < width; ++b) modulation[b] += values[c] * weights[b];
                    }
            }
            double* row = adjoint.data() + t * BLOCK;
            for (int64_t b = 0; b < width; ++b) {
                const double inside = modulation[b] + lambda[b];
                const double direct = psi ? psi[t * n + first + b] * inside : inside;
                if (beta) lambda[b] = rho[first + b] * lambda[b] - beta[first + b] * direct;
                after[b] = decay[first + b] * after[b] + direct;
                row[b] = after[b];
            }
        }
        for (int64_t s = 0; s < n_sweeps; ++s)
            for (int64_t i = 0; i < sweeps[s].sources; ++i) {
                double sum[BLOCK] = {};
                for (int64_t k = groups[s].start[i]; k < groups[s].start[i + 1]; ++k) {
                    const double* row = adjoint.data() + groups[s].row[k] * BLOCK;
                    for (int64_t b = 0; b < BLOCK; ++b) sum[b] += row[b];
                }
                for (int64_t b = 0; b < width; ++b) sum[b] *= gain[first + b];
                store(sweeps[s], i, first, width, n, sum);
            }
    }
}
