// Objectives: error and loss of a readout's activity, as objective.py defines them. Sums run in the order of the rows.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace snnplast::task {

struct Judged {
    int64_t rows, k;
    const double* y;       // (rows, k)
    const double* target;  // (rows, k), or (k,) for all rows where `target_step` is 0
    int64_t target_step;
    int64_t n_stretches;
    const int64_t* stretches;  // rows at which they begin
    double* error;             // (rows, k)
    int64_t *wanted, *answered;  // (n_stretches,), of classifications
};

inline double squared_error(const Judged& j) {
    double loss = 0.0;
    for (int64_t t = 0; t < j.rows; ++t)
        for (int64_t c = 0; c < j.k; ++c) {
            const double error = j.y[t * j.k + c] - j.target[t * j.target_step + c];
            j.error[t * j.k + c] = error;
            loss += error * error;
        }
    return 0.5 * loss / static_cast<double>(j.k);
}

inline int64_t largest(const std::vector<double>& values) {
    int64_t best = 0;
    for (size_t c = 1; c < values.size(); ++c)
        if (values[c] > values[best]) best = static_cast<int64_t>(c);
    return best;
}

inline double cross_entropy(const Judged& j) {
    std::vector<double> exponential(j.k), answered(j.k), wanted(j.k);
    double loss = 0.0;
    int64_t stretch = 0;
    const auto decide = [&] {
        j.answered[stretch] = largest(answered), j.wanted[stretch] = largest(wanted);
        std::fill(answered.begin(), answered.end(), 0.0), std::fill(wanted.begin(), wanted.end(), 0.0);
    };
    for (int64_t t = 0; t < j.rows; ++t) {
        if (stretch + 1 < j.n_stretches && j.stretches[stretch + 1] == t) decide(), ++stretch;
        const double *y = j.y + t * j.k, *target = j.target + t * j.target_step;
        double top = y[0], total = 0.0, weight = 0.0, along = 0.0;
        for (int64_t c = 1; c < j.k; ++c)
            if (y[c] > top) top = y[c];
        for (int64_t c = 0; c < j.k; ++c) {
            exponential[c] = std::exp(y[c] - top);
            total += exponential[c];
            weight += target[c];
            along += target[c] * (y[c] - top);
        }
        for (int64_t c = 0; c < j.k; ++c) {
            const double softmax = exponential[c] / total;
            j.error[t * j.k + c] = weight * softmax - target[c];
            answered[c] += softmax;
            wanted[c] += target[c];
        }
        loss += weight * std::log(total) - along;
    }
    decide();
    return loss / static_cast<double>(j.rows);
}

}  // namespace snnplast::task
