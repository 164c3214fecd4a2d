// Batches of trials in one call: their stages, one trial after the other.
#include <chrono>

#include "judge.h"
#include "poisson.h"
#include "response.h"
#include "stage.h"

#define API extern "C" __attribute__((visibility("default")))

namespace snnplast {

struct Engine {  // functions of the network's library
    int64_t (*reset)();
    int64_t (*steps)(int64_t n, int64_t budget);
    void (*set_spikes)(int source, const int32_t* steps, const int32_t* indices, int64_t count, int64_t now);
    int64_t (*fired)(int recorder, const int64_t** steps, const int64_t** indices);
};

struct Input {  // what a source shows, of each trial
    int64_t source, n;
    double peak;                   // negative: spikes are given
    int64_t constant;              // one value for each neuron, or for each step and neuron
    int64_t owner;                 // of its random numbers
    const void* const* values;     // values, or steps
    const void* const* indices;    // of spikes
    const int64_t* counts;         // spikes
};

struct Copy {
    void* to;
    const void* from;
    int64_t bytes;
};

struct Recorded {
    int64_t recorder;
    Fired* fired;
};

struct Simulated {
    Engine engine;
    int64_t steps;
    uint64_t key[2];
    uint64_t stream[2];        // first number of the streams, and the phase
    const int64_t* numbers;    // of each trial
    int64_t n_inputs, n_begins, n_recorded;
    const Input* inputs;
    const Copy* begins;
    const Recorded* recorded;
};

static thread_local encoding::Scratch scratch;
static thread_local std::vector<encoding::Spikes> drawn;

// Each source draws with the first two words of the trial's own stream as key, its number as counter.
static void show(const Simulated& s, int64_t trial) {
    const uint64_t counter[4] = {0, s.stream[0], s.stream[1], static_cast<uint64_t>(s.numbers[trial])};
    encoding::Uniforms words({s.key[0], s.key[1]}, counter, 0);
    const uint64_t low = words.word(), high = words.word();
    if (drawn.size() < static_cast<size_t>(s.n_inputs)) drawn.resize(s.n_inputs);
    for (int64_t k = 0; k < s.n_inputs; ++k) {
        const Input& input = s.inputs[k];
        if (input.peak < 0) {
            const auto *steps = static_cast<const int32_t*>(input.values[trial]),
                       *indices = static_cast<const int32_t*>(input.indices[trial]);
            s.engine.set_spikes(static_cast<int>(input.source), steps, indices, input.counts[trial], 0);
            continue;
        }
        const uint64_t own[4] = {0, static_cast<uint64_t>(input.owner), 0, 0};
        encoding::Uniforms random({low, high}, own, 0);
        encoding::Spikes& spikes = drawn[k];
        const auto* values = static_cast<const double*>(input.values[trial]);
        encoding::poisson(values, input.constant != 0, s.steps, input.n, input.peak, random, scratch, spikes);
        s.engine.set_spikes(static_cast<int>(input.source), spikes.steps.data(), spikes.indices.data(),
                            static_cast<int64_t>(spikes.steps.size()), 0);
    }
}

static int64_t simulate(const Simulated& s, int64_t trial) {
    if (s.engine.reset() < 0) return FAILED;
    for (int64_t k = 0; k < s.n_begins; ++k) std::memcpy(s.begins[k].to, s.begins[k].from, s.begins[k].bytes);
    show(s, trial);
    if (s.engine.steps(s.steps, INT64_MAX / 2) != s.steps) return FAILED;
    for (int64_t k = 0; k < s.n_recorded; ++k) {
        Fired& fired = *s.recorded[k].fired;
        fired.count = s.engine.fired(static_cast<int>(s.recorded[k].recorder), &fired.steps, &fired.indices);
    }
    return 0;
}

struct Responded {
    Engine engine;
    int64_t n_represented, n_flags, n_recorded;
    const Represented* represented;
    double* const* flags;  // 1 in the step of the response
    const Recorded* recorded;
};

static int64_t respond(const Responded& r) {
    for (int64_t k = 0; k < r.n_represented; ++k) represent(r.represented[k]);
    for (int64_t k = 0; k < r.n_flags; ++k) *r.flags[k] = 1.0;
    if (r.engine.steps(1, INT64_MAX / 2) != 1) return FAILED;
    for (int64_t k = 0; k < r.n_flags; ++k) *r.flags[k] = 0.0;
    for (int64_t k = 0; k < r.n_recorded; ++k) {  // spikes of this step are not the trial's, but may have moved those
        Fired& fired = *r.recorded[k].fired;
        r.engine.fired(static_cast<int>(r.recorded[k].recorder), &fired.steps, &fired.indices);
    }
    return 0;
}

struct JudgedTrials {
    double (*judge)(const task::Judged*);
    task::Judged judged;                  // of the window; target, wanted and answered are those of the trial
    const double* const* targets;
    double* losses;
    int64_t *wanted, *answered;
};

static int64_t judge(JudgedTrials& j, int64_t trial) {
    j.judged.target = j.targets[trial];
    j.judged.wanted = j.wanted + trial;
    j.judged.answered = j.answered + trial;
    j.losses[trial] = j.judge(&j.judged);
    return 0;
}

struct Tally {  // spikes of a population, each counted as often as its neuron says
    const Fired* fired;
    const int64_t* weights;  // null: once
    int64_t* counts;         // of each trial
};

static int64_t count(const Tally& tally, int64_t trial) {
    int64_t total = 0;
    if (tally.weights == nullptr)
        total = tally.fired->count;
    else
        for (int64_t k = 0; k < tally.fired->count; ++k) total += tally.weights[tally.fired->indices[k]];
    tally.counts[trial] = total;
    return 0;
}

}  // namespace snnplast

using namespace snnplast;

API int64_t simulate_trial(void* data, int64_t trial) { return simulate(*static_cast<Simulated*>(data), trial); }

API int64_t respond_to_trial(void* data, int64_t) { return respond(*static_cast<Responded*>(data)); }

API int64_t judge_trial(void* data, int64_t trial) { return judge(*static_cast<JudgedTrials*>(data), trial); }

API int64_t count_trial(void* data, int64_t trial) { return count(*static_cast<Tally*>(data), trial); }

// Runs trials from `first` on, fewer once `budget` nanoseconds have passed; returns how many, or -1 less those that
// were done when one failed.
API int64_t run_trials(const Stage* stages, int64_t n_stages, int64_t first, int64_t trials, int64_t budget) {
    using ticks = std::chrono::steady_clock;
    const auto end = ticks::now() + std::chrono::nanoseconds(budget);
    int64_t done = 0;
    while (done < trials) {
        for (int64_t k = 0; k < n_stages; ++k)
            if (stages[k].run(stages[k].data, first + done) == FAILED) return FAILED - done;
        if (++done < trials && ticks::now() > end) break;
    }
    return done;
}
