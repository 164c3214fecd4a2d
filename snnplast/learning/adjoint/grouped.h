// Spikes by source, so that a source's sum stays in registers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "problem.h"

namespace snnplast::adjoint {

inline void group(const Sweep& sweep, int64_t T, Grouped& result) {
    const int64_t kept = std::lower_bound(sweep.steps, sweep.steps + sweep.count, T - sweep.latency) - sweep.steps;
    result.start.assign(sweep.sources + 2, 0);
    result.row.resize(kept);
    int32_t* next = result.start.data() + 1;  // where the next spike of each source goes: in the end, where it ends
    for (int64_t s = 0; s < kept; ++s) ++next[sweep.indices[s] + 1];
    for (int64_t i = 1; i <= sweep.sources; ++i) next[i] += next[i - 1];
    for (int64_t s = 0; s < kept; ++s)
        result.row[next[sweep.indices[s]]++] = static_cast<int32_t>(sweep.steps[s] + sweep.latency);
}

}  // namespace snnplast::adjoint
