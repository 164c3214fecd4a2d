// Poisson encoding as a function that Python calls.
#include "poisson.h"

using namespace snnplast::encoding;

static thread_local Scratch scratch;
static thread_local Spikes found;

// Draws, and says how many spikes there are; `position` becomes that of the first number not used.
extern "C" __attribute__((visibility("default"))) int64_t poisson_draw(const double* values, int64_t constant,
                                                                       int64_t steps, int64_t n, double peak,
                                                                       const uint64_t* key, const uint64_t* counter,
                                                                       int64_t* position) {
    Uniforms random({key[0], key[1]}, counter, *position);
    poisson(values, constant != 0, steps, n, peak, random, scratch, found);
    *position = random.position();
    return static_cast<int64_t>(found.steps.size());
}

// Copies what this thread has drawn last.
extern "C" __attribute__((visibility("default"))) void poisson_take(int64_t* steps, int64_t* indices) {
    std::copy(found.steps.begin(), found.steps.end(), steps);
    std::copy(found.indices.begin(), found.indices.end(), indices);
}
