// Included after Brian2's generated sources and the tables of unity.py: the step loop, and what Python calls.
//
// Every function that can fail returns a negative number and leaves a message for snn_error().
// Sizes and indices have been checked in Python; lengths of buffers are checked again here.

#include <algorithm>
#include <chrono>

namespace snnplast {

struct Source {  // a population whose spikes Python hands over
    int32_t* space;
    int64_t size;
    const int32_t* steps = nullptr;
    const int32_t* indices = nullptr;
    int64_t count = 0, cursor = 0;
};

struct Recorder {  // the spikes of one population since the last reset
    const int32_t* space;
    int64_t size;
    std::vector<int64_t> steps, indices;
};

struct History {  // a variable copied into row t of a buffer of Python's at the end of step t
    const char* data;
    size_t bytes;
    char* buffer = nullptr;
    int64_t rows = 0;
};

struct Series {  // rows of a buffer of Python's, each written to a variable before a step
    char* data;
    size_t bytes;
    const char* rows = nullptr;
    int64_t start = 0, count = 0;
};

struct State {  // a variable that reset restores
    char* data;
    size_t bytes;
    bool zero = true;
    std::vector<char> initial;
};

struct Operation {  // one entry of a step: a generated function, or a source
    codeobj_func function;
    int source;
};

static std::vector<Operation> program;
static std::vector<Source> sources;
static std::vector<Recorder> recorders;
static std::vector<History> histories;
static std::vector<Series> series;
static std::vector<State> states;
static std::vector<int> event_spaces;
static std::string error;

template <class Function>
static int64_t guarded(Function function) {
    try {
        return function();
    } catch (const std::exception& problem) {
        error = problem.what();
    } catch (...) {
        error = "an exception of unknown type";
    }
    return -1;
}

static size_t bytes_of(int array) { return static_cast<size_t>(array_size(array)) * array_item(array); }

static void emit(Source& source, int64_t t) {
    int32_t count = 0;
    while (source.cursor < source.count && source.steps[source.cursor] < t)
        source.cursor++;
    while (source.cursor < source.count && source.steps[source.cursor] == t && count < source.size)
        source.space[count++] = source.indices[source.cursor++];
    source.space[source.size] = count;
}

// Spikes on their way: our own pathways can forget them, Brian2's are reached into.
template <class Pathway>
static auto forget_spikes(Pathway& pathway, int) -> decltype(pathway.clear()) {
    pathway.clear();
}

template <class Pathway>
static void forget_spikes(Pathway& pathway, long) {
    for (auto* queue : pathway.queue) {
        for (auto& slot : queue->queue)
            slot.clear();
        queue->offset = 0;
    }
}

static void one_step() {
    const int64_t t = the_clock().timestep[0];
    for (Series& s : series)
        if (t - s.start < s.count)
            std::memcpy(s.data, s.rows + static_cast<size_t>(t - s.start) * s.bytes, s.bytes);
    the_network().t = the_clock().t[0];
    for (const Operation& operation : program) {
        if (operation.function)
            operation.function();
        else
            emit(sources[operation.source], t);
    }
    for (History& h : histories) {
        check(t < h.rows, "there is room in the history");
        std::memcpy(h.buffer + static_cast<size_t>(t) * h.bytes, h.data, h.bytes);
    }
    for (Recorder& r : recorders) {
        const int32_t count = r.space[r.size];
        check(count >= 0 && count <= r.size, "a population spikes once per neuron and step");
        r.steps.insert(r.steps.end(), count, t);
        r.indices.insert(r.indices.end(), r.space, r.space + count);
    }
    the_clock().tick();
}

}  // namespace snnplast

#define SNN_API extern "C" __attribute__((visibility("default")))

SNN_API const char* snn_error() { return snnplast::error.c_str(); }

SNN_API int64_t snn_open(int n_static_arrays, const snnplast::StaticArray* static_arrays,
                         const snnplast::Connection* connections) {
    using namespace snnplast;
    return guarded([&] {
        snnplast::static_arrays = static_arrays;
        snnplast::n_static_arrays = n_static_arrays;
        snnplast::connections = connections;
        char name[] = "snnplast";
        char* arguments[] = {name, nullptr};
        snnplast_initialise(1, arguments);
        snnplast::static_arrays = nullptr;
        snnplast::n_static_arrays = 0;
        snnplast::connections = nullptr;
        for (auto& entry : the_network().objects)
            program.push_back({entry.second, -1});
        return static_cast<int64_t>(program.size());
    });
}

SNN_API void snn_free() { snnplast::free_arrays(); }

SNN_API void* snn_array(int array) { return snnplast::array_data(array); }

SNN_API int64_t snn_array_size(int array) { return snnplast::array_size(array); }

// Declarations, made once after opening; each returns the number of the thing declared.

SNN_API int snn_add_source(int position, int space) {
    using namespace snnplast;
    sources.push_back({static_cast<int32_t*>(array_data(space)), array_size(space) - 1});
    program[position] = {nullptr, static_cast<int>(sources.size()) - 1};
    return static_cast<int>(sources.size()) - 1;
}

SNN_API int snn_add_recorder(int space) {
    using namespace snnplast;
    recorders.push_back({static_cast<const int32_t*>(array_data(space)), array_size(space) - 1, {}, {}});
    return static_cast<int>(recorders.size()) - 1;
}

SNN_API int snn_add_history(int array) {
    using namespace snnplast;
    histories.push_back({static_cast<const char*>(array_data(array)), bytes_of(array)});
    return static_cast<int>(histories.size()) - 1;
}

SNN_API int snn_add_series(int array) {
    using namespace snnplast;
    series.push_back({static_cast<char*>(array_data(array)), bytes_of(array)});
    return static_cast<int>(series.size()) - 1;
}

SNN_API void snn_add_event_space(int space) { snnplast::event_spaces.push_back(space); }

SNN_API int64_t snn_add_state(int array) {
    using namespace snnplast;
    return guarded([&] {
        State state{static_cast<char*>(array_data(array)), bytes_of(array)};
        state.zero = std::all_of(state.data, state.data + state.bytes, [](char c) { return c == 0; });
        if (!state.zero)
            state.initial.assign(state.data, state.data + state.bytes);
        states.push_back(std::move(state));
        return static_cast<int64_t>(0);
    });
}

// Running. The buffers are Python's, which keeps them alive and long enough.

SNN_API void snn_set_spikes(int source, const int32_t* steps, const int32_t* indices, int64_t count) {
    snnplast::Source& s = snnplast::sources[source];
    s.steps = steps;
    s.indices = indices;
    s.count = count;
    s.cursor = std::lower_bound(steps, steps + count, snnplast::the_clock().timestep[0]) - steps;
}

SNN_API void snn_set_series(int which, const char* rows, int64_t count) {
    snnplast::Series& s = snnplast::series[which];
    s.rows = rows;
    s.count = count;
    s.start = snnplast::the_clock().timestep[0];
}

SNN_API void snn_set_history(int which, char* buffer, int64_t rows) {
    snnplast::histories[which].buffer = buffer;
    snnplast::histories[which].rows = rows;
}

// Takes up to `n` steps, fewer once `budget` nanoseconds have passed; returns how many.
SNN_API int64_t snn_steps(int64_t n, int64_t budget) {
    using namespace snnplast;
    return guarded([&] {
        using ticks = std::chrono::steady_clock;
        const auto end = ticks::now() + std::chrono::nanoseconds(budget);
        int64_t taken = 0;
        while (taken < n) {
            one_step();
            taken++;
            if (taken % 8 == 0 && ticks::now() > end)
                break;
        }
        return taken;
    });
}

SNN_API int64_t snn_reset() {
    using namespace snnplast;
    return guarded([&] {
        for (State& state : states) {
            if (state.zero)
                std::memset(state.data, 0, state.bytes);
            else
                std::memcpy(state.data, state.initial.data(), state.bytes);
        }
        for (int space : event_spaces)
            static_cast<int32_t*>(array_data(space))[array_size(space) - 1] = 0;
        for (SynapticPathway* pathway : pathways())
            forget_spikes(*pathway, 0);
        for (Source& s : sources)
            s.count = s.cursor = 0;
        for (Series& s : series)
            s.count = 0;
        for (Recorder& r : recorders) {
            r.steps.clear();
            r.indices.clear();
        }
        the_clock().timestep[0] = 0;
        the_clock().t[0] = 0;
        the_network().t = 0;
        return static_cast<int64_t>(0);
    });
}

// Lets the spike queues, which must be empty, take over delays that have changed.
SNN_API int64_t snn_prepare() {
    using namespace snnplast;
    return guarded([&] {
        prepare_pathways();
        return static_cast<int64_t>(0);
    });
}

SNN_API int64_t snn_spike_count(int recorder) {
    return static_cast<int64_t>(snnplast::recorders[recorder].indices.size());
}

// Copies the spikes from number `first` on.
SNN_API void snn_spikes(int recorder, int64_t first, int64_t* steps, int64_t* indices) {
    const snnplast::Recorder& r = snnplast::recorders[recorder];
    std::copy(r.steps.begin() + first, r.steps.end(), steps);
    std::copy(r.indices.begin() + first, r.indices.end(), indices);
}
