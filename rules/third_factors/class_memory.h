// Memories of classes and the signal made of them, as memories.py and class_memory.py define them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lanes.h"

namespace snnplast::class_memory {

enum Form : int64_t { AVERAGES, RESIDUALS, DELTA };
enum Expectation : int64_t { READOUT, LAYER, UNIFORM };

struct Source {  // what all layers share
    int64_t classes, expectation;
    int64_t* seen;                // (classes,), samples so far
    double *error, *evidence;     // room for (classes,) each
    double *centre, *similarity;  // room for the largest layer and window
};

struct Memory {
    int64_t form, size, window;
    double setting, sharpness;  // memory of averages, rate of the others
    double *first, *second;     // (classes, size); of residuals z (window, size) and error (window, classes);
                                // of delta the offsets (classes,)
};

struct Layer {
    Memory memory;
    const double* z;  // (size,), of this sample
    double* xi;       // (size,)
};

inline double dot(const double* a, const double* b, int64_t n) {
    return in_lanes(n, [&](int64_t k) { return a[k] * b[k]; });
}

inline int64_t total(const Source& s) {
    int64_t all = 0;
    for (int64_t c = 0; c < s.classes; ++c) all += s.seen[c];
    return all;
}

inline int64_t label_of(const Source& s, const double* wanted) {
    return std::max_element(wanted, wanted + s.classes) - wanted;
}

inline bool ready(const Source& s, int64_t label) {
    int64_t known = 0;
    for (int64_t c = 0; c < s.classes; ++c) known += s.seen[c] > 0;
    return s.seen[label] > 0 && known > 1;
}

// mean m over the known classes.
inline void average(const Source& s, const Memory& m) {
    int64_t known = 0;
    std::fill(s.centre, s.centre + m.size, 0.0);
    for (int64_t c = 0; c < s.classes; ++c) {
        if (!s.seen[c]) continue;
        ++known;
        for (int64_t d = 0; d < m.size; ++d) s.centre[d] += m.first[c * m.size + d];
    }
    for (int64_t d = 0; d < m.size && known; ++d) s.centre[d] /= static_cast<double>(known);
}

inline void weigh(const Source& s, const Layer& layer) {  // evidence of the classes
    const Memory& m = layer.memory;
    const int64_t rows = m.form == RESIDUALS ? std::min(total(s), m.window) : 0;
    for (int64_t n = 0; n < rows; ++n) s.similarity[n] = m.setting * (dot(m.first + n * m.size, layer.z, m.size) + 1);
    for (int64_t c = 0; c < s.classes; ++c) {
        const double* own = m.first + c * m.size;
        double found = 0.0;
        if (m.form == AVERAGES)
            found = m.sharpness * in_lanes(m.size, [&](int64_t d) {
                        const double apart = own[d] - s.centre[d];
                        return apart * (layer.z[d] - s.centre[d] - apart / 2);
                    });
        else if (m.form == DELTA)
            found = dot(own, layer.z, m.size) + m.second[c];
        for (int64_t n = 0; n < rows; ++n) found += s.similarity[n] * m.second[n * s.classes + c];
        s.evidence[c] = found;
    }
}

// p - y of one layer; rows (rows, classes): the readout's error, whose mean is taken.
inline void expect(const Source& s, const Layer& layer, int64_t label, const double* error, int64_t rows) {
    std::fill(s.error, s.error + s.classes, 0.0);
    if (s.expectation == READOUT) {
        for (int64_t t = 0; t < rows; ++t)
            for (int64_t c = 0; c < s.classes; ++c) s.error[c] += error[t * s.classes + c];
        for (int64_t c = 0; c < s.classes; ++c) s.error[c] /= static_cast<double>(rows);
        return;
    }
    double largest = -INFINITY, sum = 0.0;
    if (s.expectation == LAYER) weigh(s, layer);
    for (int64_t c = 0; c < s.classes; ++c) {
        if (s.expectation == UNIFORM) s.evidence[c] = 0.0;
        if (s.seen[c]) largest = std::max(largest, s.evidence[c]);
    }
    for (int64_t c = 0; c < s.classes; ++c)
        if (s.seen[c]) sum += s.error[c] = std::exp(s.evidence[c] - largest);
    for (int64_t c = 0; c < s.classes && sum > 0; ++c) s.error[c] /= sum;
    s.error[label] -= 1;
}

// xi = sum_c (p_c - y_c) M_c.
inline void recall(const Source& s, const Layer& layer) {
    const Memory& m = layer.memory;
    std::fill(layer.xi, layer.xi + m.size, 0.0);
    if (m.form == RESIDUALS) {
        const int64_t rows = std::min(total(s), m.window);
        for (int64_t n = 0; n < rows; ++n) {
            const double weight = m.setting * dot(m.second + n * s.classes, s.error, s.classes);
            for (int64_t d = 0; d < m.size; ++d) layer.xi[d] += weight * m.first[n * m.size + d];
        }
        return;
    }
    for (int64_t c = 0; c < s.classes; ++c) {
        if (m.form == AVERAGES && !s.seen[c]) continue;
        for (int64_t d = 0; d < m.size; ++d)
            layer.xi[d] += s.error[c] * (m.first[c * m.size + d] - (m.form == AVERAGES ? s.centre[d] : 0.0));
    }
}

inline void store(const Source& s, const Layer& layer, int64_t label) {
    const Memory& m = layer.memory;
    if (m.form == AVERAGES) {
        double* own = m.first + label * m.size;
        for (int64_t d = 0; d < m.size; ++d)
            own[d] = s.seen[label] ? m.setting * own[d] + (1 - m.setting) * layer.z[d] : layer.z[d];
    } else if (m.form == RESIDUALS) {
        const int64_t row = total(s) % m.window;
        std::copy(layer.z, layer.z + m.size, m.first + row * m.size);
        for (int64_t c = 0; c < s.classes; ++c) m.second[row * s.classes + c] = -s.error[c];
    } else
        for (int64_t c = 0; c < s.classes; ++c) {
            for (int64_t d = 0; d < m.size; ++d) m.first[c * m.size + d] -= m.setting * s.error[c] * layer.z[d];
            m.second[c] -= m.setting * s.error[c];
        }
}

// The signal of one layer, which remembers the sample; `seen` is counted afterwards, for all.
inline void hear(const Source& s, const Layer& layer, int64_t label, const double* error, int64_t rows) {
    if (layer.memory.form == AVERAGES) average(s, layer.memory);
    expect(s, layer, label, error, rows);
    recall(s, layer);
    store(s, layer, label);
}

}  // namespace snnplast::class_memory
