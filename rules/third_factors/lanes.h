// Sums in eight parts that run side by side, always of the same terms.
#pragma once

#include <cstdint>

namespace snnplast {

template <typename Term>
double in_lanes(int64_t n, Term term) {
    double lanes[8] = {};
    int64_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (int64_t lane = 0; lane < 8; ++lane) lanes[lane] += term(k + lane);
    for (int64_t lane = 0; k < n; ++k, ++lane) lanes[lane] += term(k);
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

}  // namespace snnplast
