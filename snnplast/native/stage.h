// What a trial is made of where whole batches run in one call: functions, each with the data it works on.
#pragma once

#include <cstdint>

namespace snnplast {

constexpr int64_t FAILED = -1;

struct Stage {
    int64_t (*run)(void* data, int64_t trial);  // trial: its place in the call; returns FAILED or not
    void* data;
};

struct Fired {  // the spikes of a population in the present trial, ascending in time
    const int64_t *steps, *indices;
    int64_t count;
};

struct Shown {  // values of each trial of the call
    const double* const* values;
};

}  // namespace snnplast
