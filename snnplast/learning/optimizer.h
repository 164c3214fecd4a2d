// Optimisers, as optimizer.py defines them: the same operations on every entry, so the same bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace snnplast::optimizer {

struct Optimizer {
    int64_t adam;                       // 0: plain descent
    double learning_rate, final;        // final: part of the learning rate at the end of the run
    double clip, weight_decay;          // clip: infinite where there is none
    double beta_1, beta_2, epsilon;     // of Adam
};

struct Limit {
    const double* values;  // null: none
    int64_t each;          // 1: one per entry, 0: one for all
};

struct Parameter {
    int64_t size;
    double* values;
    const double* gradient;
    const double* scale;  // null: 1
    Limit low, high;
    double *n, *m, *u;    // state of Adam: updates so far, (size,), (size,)
};

inline bool finite(const double* values, int64_t size) {
    double total = 0.0;  // 0 * x is not a number where x is not finite
    for (int64_t k = 0; k < size; ++k) total += 0.0 * values[k];
    return total == 0.0;
}

constexpr int64_t ROOM = 256;

// Not a number stays what it is; 0 takes the sign of a limit that is 0.
inline double at_least(double x, double low) { return x <= low ? low : x; }
inline double at_most(double x, double high) { return x >= high ? high : x; }

template <double (*limited)(double, double)>
void bound(double* w, const Limit& limit, int64_t first, int64_t size) {
    if (!limit.values) return;
    const double* side = limit.values + first * limit.each;
    for (int64_t k = 0; k < size; ++k) w[k] = limited(w[k], side[k * limit.each]);
}

// progress: part of the run that is done.
inline void update(const Optimizer& o, const Parameter& p, double progress) {
    double eta = o.learning_rate * (1 - (1 - o.final) * progress);
    if (o.adam) {
        *p.n += 1;
        eta = eta * std::sqrt(1 - std::pow(o.beta_2, *p.n)) / (1 - std::pow(o.beta_1, *p.n));
    }
    const double keep_m = 1 - o.beta_1, keep_u = 1 - o.beta_2;
    for (int64_t first = 0; first < p.size; first += ROOM) {
        const int64_t size = std::min(ROOM, p.size - first);
        const double *gradient = p.gradient + first, *scale = p.scale ? p.scale + first : nullptr;
        double *w = p.values + first, g[ROOM];
        for (int64_t k = 0; k < size; ++k) g[k] = scale ? gradient[k] * scale[k] : gradient[k];
        if (std::isfinite(o.clip))
            for (int64_t k = 0; k < size; ++k) g[k] = at_most(at_least(g[k], -o.clip), o.clip);
        if (o.weight_decay != 0)
            for (int64_t k = 0; k < size; ++k) g[k] += o.weight_decay * (scale ? w[k] / scale[k] : w[k]);
        if (o.adam) {
            double *__restrict m = p.m + first, *__restrict u = p.u + first;
            for (int64_t k = 0; k < size; ++k) {
                m[k] = m[k] * o.beta_1 + keep_m * g[k];
                u[k] = u[k] * o.beta_2 + keep_u * (g[k] * g[k]);
                g[k] = eta * m[k] / (std::sqrt(u[k]) + o.epsilon);
            }
        } else
            for (int64_t k = 0; k < size; ++k) g[k] = eta * g[k];
        for (int64_t k = 0; k < size; ++k) w[k] -= scale ? scale[k] * g[k] : g[k];
        bound<at_least>(w, p.low, first, size);
        bound<at_most>(w, p.high, first, size);
    }
}

}  // namespace snnplast::optimizer
