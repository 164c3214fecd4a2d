// The windowed HSIC objective and its gradient, as hsic.py defines them.
#pragma once

#include <cmath>
#include <cstdint>

#include "lanes.h"

namespace snnplast::hsic {

struct Window {  // the last n samples; the newest takes the place of the oldest
    int64_t n, inputs, classes;
    double gamma, sigma_x, sigma_y;
    double *x, *y;   // (n, inputs), (n, classes)
    double* kernel;  // (n, n), k_x - gamma k_y
    double* means;   // (n + 1,), of its columns, and of all
    int64_t* seen;   // samples so far
};

struct Layer {
    int64_t size;
    double sigma;
    int64_t reference;  // 1: what the public code computes; 0: the gradient
    const double* z;    // (n, size), the newest sample in its place
    double* xi;         // (size,)
};

// |a - b|^2.
inline double distance(const double* a, const double* b, int64_t size) {
    return in_lanes(size, [&](int64_t k) {
        const double apart = a[k] - b[k];
        return apart * apart;
    });
}

inline double kernel(const double* a, const double* b, int64_t size, double sigma) {
    return std::exp(-distance(a, b, size) / (2 * (sigma * sigma) * static_cast<double>(size)));
}

inline int64_t place(const Window& w) { return *w.seen % w.n; }  // of the next sample

inline bool ready(const Window& w) { return *w.seen >= w.n; }

// Put a sample (inputs,), (classes,) in the window. Returns its row.
inline int64_t remember(const Window& w, const double* x, const double* y) {
    const int64_t row = place(w);
    ++*w.seen;
    for (int64_t k = 0; k < w.inputs; ++k) w.x[row * w.inputs + k] = x[k];
    for (int64_t k = 0; k < w.classes; ++k) w.y[row * w.classes + k] = y[k];
    for (int64_t j = 0; j < w.n; ++j) {
        const double by_x = kernel(w.x + j * w.inputs, w.x + row * w.inputs, w.inputs, w.sigma_x);
        const double by_y = kernel(w.y + j * w.classes, w.y + row * w.classes, w.classes, w.sigma_y);
        w.kernel[row * w.n + j] = w.kernel[j * w.n + row] = by_x - w.gamma * by_y;
    }
    return row;
}

// Means of the kernel's columns, and of these, which all layers share.
inline void average(const Window& w) {
    double all = 0.0;
    for (int64_t j = 0; j < w.n; ++j) w.means[j] = 0.0;
    for (int64_t i = 0; i < w.n; ++i)
        for (int64_t j = 0; j < w.n; ++j) w.means[j] += w.kernel[i * w.n + j];
    for (int64_t j = 0; j < w.n; ++j) {
        w.means[j] /= static_cast<double>(w.n);
        all += w.means[j];
    }
    w.means[w.n] = all / static_cast<double>(w.n);
}

// xi of one layer, of the sample in `row`.
inline void gradient(const Window& w, const Layer& layer, int64_t row) {
    const double *newest = layer.z + row * layer.size, *k = w.kernel + row * w.n, n = static_cast<double>(w.n);
    for (int64_t d = 0; d < layer.size; ++d) layer.xi[d] = 0.0;
    for (int64_t j = 0; j < w.n; ++j) {
        const double* z = layer.z + j * layer.size;
        const double exact = k[j] - w.means[row] - w.means[j] + w.means[w.n];
        const double pull = layer.reference ? (w.means[j] + w.means[row] - 2 * k[row]) / n : exact;
        const double weight = pull * kernel(z, newest, layer.size, layer.sigma);
        for (int64_t d = 0; d < layer.size; ++d) layer.xi[d] += weight * (newest[d] - z[d]);
    }
    const double scale = -2 / (layer.sigma * layer.sigma * static_cast<double>(layer.size) * ((n - 1) * (n - 1)));
    for (int64_t d = 0; d < layer.size; ++d) layer.xi[d] *= scale;
}

}  // namespace snnplast::hsic
