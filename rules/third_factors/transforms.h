// What happens to a layer-wise signal before the synapses receive it, as transforms.py defines it.
#pragma once

#include <cmath>
#include <cstdint>

namespace snnplast::transforms {

enum Form : int64_t { LAYER_NORM_JACOBIAN, GAIN_CONTROL, CLIP };

struct Transform {
    int64_t form;
    double setting;       // memory of the gain control, limit of the clipping
    double* mean_square;  // of the gain control; not a number before the first signal
};

template <typename Term>
double mean(int64_t n, Term term) {  // in the order of the neurons
    double total = 0.0;
    for (int64_t i = 0; i < n; ++i) total += term(i);
    return total / static_cast<double>(n);
}

inline double gain(const Transform& t, double now) {
    const double before = *t.mean_square;
    if (!std::isnan(before)) now = t.setting * before + (1 - t.setting) * now;
    *t.mean_square = now;
    return now > 0 ? std::sqrt(now) : 1.0;
}

// xi (n,), in place. z: the layer's rate representation.
inline void apply(const Transform& t, double* xi, const double* z, int64_t n) {
    if (t.form == LAYER_NORM_JACOBIAN) {
        const double all = mean(n, [&](int64_t i) { return xi[i]; });
        const double along = mean(n, [&](int64_t i) { return xi[i] * z[i]; });
        for (int64_t i = 0; i < n; ++i) xi[i] = xi[i] - all - z[i] * along;
    } else if (t.form == GAIN_CONTROL) {
        const double scale = gain(t, mean(n, [&](int64_t i) { return xi[i] * xi[i]; }));
        for (int64_t i = 0; i < n; ++i) xi[i] /= scale;
    } else
        for (int64_t i = 0; i < n; ++i) {
            const double above = xi[i] < -t.setting ? -t.setting : xi[i];
            xi[i] = above > t.setting ? t.setting : above;
        }
}

}  // namespace snnplast::transforms
