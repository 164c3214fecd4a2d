// Included after Brian2's generated sources and the tables of unity.py: the step loop, and what Python calls.
//
// Every function that can fail returns a negative number and leaves a message for snn_error().
// Sizes and indices have been checked in Python; lengths of buffers are checked again here.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <new>

// Arrays begin where a cache line does: loops whose vectors lie across two lines take a third longer. Small things lie
// anywhere.
static void* room(size_t bytes) {
    constexpr size_t line = 64;
    void* found = bytes < 4 * line ? std::malloc(bytes + !bytes) : std::aligned_alloc(line, (bytes + line - 1) / line * line);
    if (!found)
        throw std::bad_alloc();
    return found;
}

void* operator new(size_t bytes) { return room(bytes); }
void* operator new[](size_t bytes) { return room(bytes); }
void operator delete(void* found) noexcept { std::free(found); }
void operator delete[](void* found) noexcept { std::free(found); }

namespace snnplast {

struct Source {  // a population whose spikes Python hands over
    int32_t* space;
    int64_t size;
    bool own;             // until Python hands over any, it has spikes of its own: those of its generated function
    bool silent = false;  // whether its function is passed over
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

struct Operation {  // one entry of a step: a generated function, and the source that may take its place
    codeobj_func function;
    int clock, source;
};

static std::vector<Operation> program;
static std::vector<Source> sources;
static std::vector<Recorder> recorders;
static std::vector<History> histories;
static std::vector<Series> series;
static std::vector<State> states;
static std::vector<int> event_spaces, growing, matrices;
static std::vector<char> due;  // of each clock, whether it ticks now
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

// Only our own pathways show them and take them back.
template <class Pathway>
static auto spikes_in_flight(Pathway& pathway, int32_t* to, int) -> decltype(pathway.in_flight(), int64_t()) {
    const auto found = pathway.in_flight();
    for (size_t k = 0; to && k < found.size(); k++) {
        to[2 * k] = found[k].first;
        to[2 * k + 1] = found[k].second;
    }
    return static_cast<int64_t>(found.size());
}

template <class Pathway>
static int64_t spikes_in_flight(Pathway&, int32_t*, long) {
    throw std::runtime_error("pathways of Brian2's own do not show spikes on their way");
}

template <class Pathway>
static auto put_spikes_in_flight(Pathway& pathway, const int32_t* pairs, int64_t count, int)
    -> decltype(pathway.put_in_flight(pairs, count)) {
    return pathway.put_in_flight(pairs, count);
}

template <class Pathway>
static bool put_spikes_in_flight(Pathway&, const int32_t*, int64_t, long) {
    return false;
}

static void run(const Operation& operation) {
    if (operation.source >= 0 && sources[operation.source].silent)
        emit(sources[operation.source], clocks()[operation.clock]->timestep[0]);
    else if (operation.function)
        operation.function();
}

// One turn of several clocks. Times count as equal within a millionth of the shortest step: rounding grows with time.
static double turn_of_clocks(double tolerance) {
    double now = the_clock().t[0], next = HUGE_VAL;
    for (const Clock* clock : clocks())
        now = std::min(now, clock->t[0]);
    for (size_t k = 0; k < clocks().size(); k++)
        due[k] = clocks()[k]->t[0] - now <= tolerance;
    the_network().t = now;
    for (const Operation& operation : program)
        if (due[operation.clock])
            run(operation);
    for (size_t k = 0; k < clocks().size(); k++) {
        if (due[k])
            clocks()[k]->tick();
        next = std::min(next, clocks()[k]->t[0]);
    }
    return next;
}

// A step is one of the first clock, the fastest. Slower ones whose time comes before its next step are run as well.
static void one_step() {
    const int64_t t = the_clock().timestep[0];
    for (Series& s : series)
        if (t - s.start < s.count)
            std::memcpy(s.data, s.rows + static_cast<size_t>(t - s.start) * s.bytes, s.bytes);
    const bool alone = clocks().size() == 1;
    if (alone) {
        the_network().t = the_clock().t[0];
        for (const Operation& operation : program)
            run(operation);
    } else {
        const double dt = the_clock().dt[0], end = static_cast<double>(t + 1) * dt, tolerance = 1e-6 * dt;
        while (turn_of_clocks(tolerance) < end - tolerance) {
        }
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
    if (alone)
        the_clock().tick();
}

}  // namespace snnplast

#define SNN_API extern "C" __attribute__((visibility("default")))

SNN_API const char* snn_error() { return snnplast::error.c_str(); }

SNN_API int64_t snn_open(int n_static_arrays, const snnplast::StaticArray* static_arrays,
                         const snnplast::Connection* connections, int64_t seed) {
    using namespace snnplast;
    return guarded([&] {
        snnplast::static_arrays = static_arrays;
        snnplast::n_static_arrays = n_static_arrays;
        snnplast::connections = connections;
        first_seed = seed;
        char name[] = "snnplast";
        char* arguments[] = {name, nullptr};
        snnplast_initialise(1, arguments);
        snnplast::static_arrays = nullptr;
        snnplast::n_static_arrays = 0;
        snnplast::connections = nullptr;
        for (auto& entry : the_network().objects) {
            const auto clock = std::find(clocks().begin(), clocks().end(), entry.first);
            program.push_back({entry.second, static_cast<int>(clock - clocks().begin()), -1});
        }
        due.resize(clocks().size());
        return static_cast<int64_t>(program.size());
    });
}

SNN_API void snn_free() { snnplast::free_arrays(); }

SNN_API void* snn_array(int array) { return snnplast::array_data(array); }

SNN_API int64_t snn_array_size(int array) { return snnplast::array_size(array); }

// Declarations, made once after opening; each returns the number of the thing declared.

SNN_API int snn_add_source(int position, int space, int own) {
    using namespace snnplast;
    sources.push_back({static_cast<int32_t*>(array_data(space)), array_size(space) - 1, own != 0, own == 0});
    program[position].source = static_cast<int>(sources.size()) - 1;
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

SNN_API void snn_add_growing(int array) { snnplast::growing.push_back(array); }

SNN_API void snn_add_matrix(int matrix) { snnplast::matrices.push_back(matrix); }

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

SNN_API void snn_set_spikes(int source, const int32_t* steps, const int32_t* indices, int64_t count,
                            int64_t now) {
    snnplast::Source& s = snnplast::sources[source];
    s.silent = true;
    s.steps = steps;
    s.indices = indices;
    s.count = count;
    s.cursor = std::lower_bound(steps, steps + count, now) - steps;
}

SNN_API void snn_set_series(int which, const char* rows, int64_t count, int64_t start) {
    snnplast::Series& s = snnplast::series[which];
    s.rows = rows;
    s.count = count;
    s.start = start;
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

// Takes steps `first` to `first` + `n` - 1 once more, from the state that was put back; no spike is recorded twice.
SNN_API int64_t snn_again(int64_t first, int64_t n) {
    using namespace snnplast;
    return guarded([&] {
        check(clocks().size() == 1, "steps are taken again where there is one clock");
        Clock& clock = the_clock();
        clock.timestep[0] = first;
        clock.t[0] = static_cast<double>(first) * clock.dt[0];
        for (Source& s : sources)
            s.cursor = std::lower_bound(s.steps, s.steps + s.count, first) - s.steps;
        std::vector<size_t> known;
        for (const Recorder& r : recorders)
            known.push_back(r.steps.size());
        for (int64_t k = 0; k < n; k++)
            one_step();
        for (size_t k = 0; k < recorders.size(); k++) {
            recorders[k].steps.resize(known[k]);
            recorders[k].indices.resize(known[k]);
        }
        return static_cast<int64_t>(0);
    });
}

static void snn_begin_anew() {  // what was handed over and recorded is forgotten, and time begins
    using namespace snnplast;
    for (Source& s : sources) {
        s.count = s.cursor = 0;
        s.silent = !s.own;
    }
    for (int array : growing)
        empty_array(array);
    for (int matrix : matrices)
        empty_matrix(matrix);
    for (Series& s : series)
        s.count = 0;
    for (Recorder& r : recorders) {
        r.steps.clear();
        r.indices.clear();
    }
    for (Clock* clock : clocks()) {
        clock->timestep[0] = 0;
        clock->t[0] = 0;
    }
    the_network().t = 0;
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
        snn_begin_anew();
        return static_cast<int64_t>(0);
    });
}

// Step 0 begins here: state and spikes on their way stay as they are.
SNN_API int64_t snn_proceed() {
    return snnplast::guarded([&] {
        snn_begin_anew();
        return static_cast<int64_t>(0);
    });
}

SNN_API int64_t snn_n_pathways() { return static_cast<int64_t>(snnplast::pathways().size()); }

// Pairs (steps until arrival, neuron or synapse) of the spikes on their way; `to` may be null. Returns their number.
SNN_API int64_t snn_in_flight(int pathway, int32_t* to) {
    using namespace snnplast;
    return guarded([&] { return spikes_in_flight(*pathways()[pathway], to, 0); });
}

SNN_API int64_t snn_put_in_flight(int pathway, const int32_t* pairs, int64_t count) {
    using namespace snnplast;
    return guarded([&] {
        check(put_spikes_in_flight(*pathways()[pathway], pairs, count, 0), "spikes in flight fit the delays");
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

// Random numbers begin where they do after Brian2's seed(number).
SNN_API void snn_seed(int64_t seed) {
    snnplast::first_seed = seed;
    snnplast_seed();
}

// A recorded variable: one row for each time. Copied row by row.
SNN_API int64_t snn_matrix_rows(int matrix) { return snnplast::matrix_rows(matrix); }

SNN_API int64_t snn_matrix_columns(int matrix) { return snnplast::matrix_columns(matrix); }

SNN_API void snn_copy_matrix(int matrix, char* to) { snnplast::copy_matrix(matrix, to); }

SNN_API int64_t snn_spike_count(int recorder) {
    return static_cast<int64_t>(snnplast::recorders[recorder].indices.size());
}

// Copies the spikes from number `first` on.
SNN_API void snn_spikes(int recorder, int64_t first, int64_t* steps, int64_t* indices) {
    const snnplast::Recorder& r = snnplast::recorders[recorder];
    std::copy(r.steps.begin() + first, r.steps.end(), steps);
    std::copy(r.indices.begin() + first, r.indices.end(), indices);
}

// The spikes since the last reset, where they are: until the next step.
SNN_API int64_t snn_fired(int recorder, const int64_t** steps, const int64_t** indices) {
    const snnplast::Recorder& r = snnplast::recorders[recorder];
    *steps = r.steps.data();
    *indices = r.indices.data();
    return static_cast<int64_t>(r.steps.size());
}
