// Poisson spikes from counter-based random numbers: what encoding.py computes with numpy, bit for bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace snnplast::encoding {

struct Key {
    uint64_t low, high;
};

// Philox4x64-10 (Salmon et al. 2011), numbered as numpy does it: number k is word k % 4 of block 1 + k / 4.
class Uniforms {
    Key key_;
    uint64_t counter_[4], words_[4];
    int64_t position_;

    void block() {
        uint64_t low = key_.low, high = key_.high, c[4];
        const uint64_t number = 1 + static_cast<uint64_t>(position_) / 4;
        c[0] = counter_[0] + number;
        c[1] = counter_[1] + (c[0] < number);
        c[2] = counter_[2];
        c[3] = counter_[3];
        for (int round = 0; round < 10; ++round, low += 0x9E3779B97F4A7C15u, high += 0xBB67AE8584CAA73Bu) {
            const unsigned __int128 a = static_cast<unsigned __int128>(0xD2E7470EE14C6C93u) * c[0];
            const unsigned __int128 b = static_cast<unsigned __int128>(0xCA5A826395121157u) * c[2];
            const uint64_t first = static_cast<uint64_t>(b >> 64) ^ c[1] ^ low;
            const uint64_t third = static_cast<uint64_t>(a >> 64) ^ c[3] ^ high;
            c[0] = first, c[1] = static_cast<uint64_t>(b), c[2] = third, c[3] = static_cast<uint64_t>(a);
        }
        std::memcpy(words_, c, sizeof c);
    }

public:
    Uniforms(Key key, const uint64_t counter[4], int64_t position) : key_(key), position_(position) {
        std::memcpy(counter_, counter, sizeof counter_);
        if (position_ % 4) block();
    }

    int64_t position() const { return position_; }

    uint64_t word() {
        if (position_ % 4 == 0) block();
        return words_[position_++ % 4];
    }

    double next() { return static_cast<double>(word() >> 11) * 0x1p-53; }
};

// -log(u) for u in [2^-53, 1], from operations that are rounded the same everywhere; see encoding.py.
inline double minus_log(double u) {
    uint64_t bits;
    std::memcpy(&bits, &u, 8);
    double exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1022);
    bits = (bits & 0x000FFFFFFFFFFFFFu) | 0x3FE0000000000000u;
    double m;
    std::memcpy(&m, &bits, 8);
    if (m < 0.70710678118654752440) m += m, exponent -= 1.0;
    const double f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z;
    const double odd = z * (0.66666666666667351 + w * (0.28571428743662391 + w * (0.18183572162161805 + w * 0.14798198605116586)));
    const double even = w * (0.39999999999409419 + w * (0.22222198432149784 + w * 0.15313837699209373));
    const double half = 0.5 * f * f;
    return (half - s * (half + (odd + even))) - f - exponent * 0.69314718055994530942;
}

struct Spikes {
    std::vector<int32_t> steps, indices;
    void clear() { steps.clear(), indices.clear(); }
    void add(int64_t step, int64_t index) {
        steps.push_back(static_cast<int32_t>(step));
        indices.push_back(static_cast<int32_t>(index));
    }
};

struct Scratch {
    std::vector<double> hazard, ends;
    std::vector<int64_t> places;
    Spikes unsorted;
};

// Hazards of `cells` cells, `length` each, and where on the line that they make up each of them ends.
inline void lay_out(const double* values, int64_t cells, double peak, double length, Scratch& scratch) {
    scratch.hazard.resize(cells);
    scratch.ends.resize(cells);
    double end = 0.0;
    for (int64_t k = 0; k < cells; ++k) {
        const double p = values[k] * peak;
        const double hazard = k && values[k] == values[k - 1] ? scratch.hazard[k - 1] : p < 1.0 ? minus_log(1.0 - p) : 0.0;
        scratch.hazard[k] = hazard;
        scratch.ends[k] = end += hazard * length;
    }
}

// Spikes of `n` neurons in `steps` steps, sorted by step, then neuron. values: (n,) each for all steps, or (steps, n).
inline void poisson(const double* values, bool constant, int64_t steps, int64_t n, double peak, Uniforms& random,
                    Scratch& scratch, Spikes& out) {
    out.clear();
    const int64_t cells = constant ? n : steps * n;
    if (cells == 0) return;
    lay_out(values, cells, peak, constant ? static_cast<double>(steps) : 1.0, scratch);
    const double *hazard = scratch.hazard.data(), *ends = scratch.ends.data();
    Spikes& found = constant ? scratch.unsorted : out;
    found.clear();
    int64_t cell = 0;
    const auto certain = [&](int64_t k) {  // cells in which a spike is no question of chance
        if (values[k] * peak < 1.0) return;
        if (constant)
            for (int64_t step = 0; step < steps; ++step) found.add(step, k);
        else
            found.add(k / n, k % n);
    };
    certain(0);
    int64_t last = -1;
    for (double x = 0.0;;) {
        x += minus_log(1.0 - random.next());
        const double begins = x;
        if (!(begins < ends[cells - 1])) break;
        while (!(begins < ends[cell])) certain(++cell), last = -1;
        if (!constant) {
            if (last < 0) found.add(cell / n, cell % n);
            last = 0;
            continue;
        }
        const double first = cell ? ends[cell - 1] : 0.0;
        const int64_t step = std::min(static_cast<int64_t>((begins - first) / hazard[cell]), steps - 1);
        if (step != last) found.add(step, cell);
        last = step;
    }
    while (cell + 1 < cells) certain(++cell);
    if (!constant) return;
    scratch.places.assign(steps + 1, 0);
    for (int32_t step : found.steps) ++scratch.places[step + 1];
    for (int64_t step = 0; step < steps; ++step) scratch.places[step + 1] += scratch.places[step];
    out.steps.resize(found.steps.size());
    out.indices.resize(found.steps.size());
    for (size_t k = 0; k < found.steps.size(); ++k) {
        const int64_t place = scratch.places[found.steps[k]]++;
        out.steps[place] = found.steps[k];
        out.indices[place] = found.indices[k];
    }
}

}  // namespace snnplast::encoding
