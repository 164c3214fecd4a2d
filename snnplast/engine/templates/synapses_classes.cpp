{# Replaces Brian2's class of the same name: what travels through a delay is the spiking neuron, not each of
   its synapses, and the synapses of one neuron are found again as ranges of consecutive numbers. #}
{% macro cpp_file() %}
{% endmacro %}

{% macro h_file() %}
#ifndef SNNPLAST_PATHWAY_H
#define SNNPLAST_PATHWAY_H

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>
#include "brianlib/spikequeue.h"

namespace snnplast {

// Stands in for an index array of which one element is wanted and known.
struct Known {
    int32_t value;
    int32_t operator[](size_t) const { return value; }
};

// Synapses first, first + 1, ... first + count - 1, which reach neurons target, target + 1, ...
struct Run {
    int32_t first, target, count;
};

// Asks for what these synapses have in an array: it lies anywhere in memory. Unless it is inlined early, gcc takes a
// function that only asks for one that does nothing.
template <class T>
inline __attribute__((always_inline)) void expect(const T* values, const Run& run) {
    const size_t first = static_cast<size_t>(run.first);
    for (size_t k = first; k < first + run.count; k += 64 / sizeof(T))
        __builtin_prefetch(values + k);
}

template <class T>
struct Span {
    const T *from, *to;
    const T* begin() const { return from; }
    const T* end() const { return to; }
};

// How the synapses of a spiking neuron are walked. All three visit the same synapses in the same order.
enum class Walk {
    runs,    // consecutive synapses with consecutive targets: no index is loaded
    ranges,  // consecutive synapses: the target is looked up
    lists    // any order, or delays of their own
};

}  // namespace snnplast

class SynapticPathway {
    int start_, stop_;                         // the neurons whose spikes count, for subgroups
    bool one_delay_ = true;
    std::vector<int> delays_;                  // steps: one for all synapses, or one each
    int64_t n_synapses_ = 0;
    std::vector<int32_t> synapses_;            // synapse numbers ordered by neuron; empty where they are in this order
    std::vector<int64_t> first_;               // neuron - start_ -> its first place in this order
    std::vector<std::vector<int32_t>> slots_;  // ring over steps of neurons (one delay) or synapses (own delays)
    size_t now_ = 0;
    bool walk_known_ = false;
    snnplast::Walk walk_ = snnplast::Walk::lists;
    std::vector<snnplast::Run> runs_;
    std::vector<int64_t> first_run_;

public:
    std::vector<int>& sources;
    std::vector<CSpikeQueue*> queue;  // Brian2 2.10 and later refer to it when writing results, which we never do

    SynapticPathway(std::vector<int>& sources, int start, int stop) : start_(start), stop_(stop), slots_(1), sources(sources) {}

    // Takes over connections and delays (in seconds). Spikes on their way are forgotten.
    template <typename scalar>
    void prepare(int, int, scalar* delays, int n_delays, int* neurons, int n_synapses, double dt) {
        delays_.resize(std::max(n_delays, 1));
        for (int k = 0; k < n_delays; k++)
            delays_[k] = static_cast<int>(delays[k] / dt + 0.5);
        if (!n_delays)
            delays_[0] = 0;
        const auto extremes = std::minmax_element(delays_.begin(), delays_.end());
        one_delay_ = *extremes.first == *extremes.second;
        slots_.assign(static_cast<size_t>(*extremes.second) + 1, {});
        now_ = 0;

        n_synapses_ = n_synapses;
        first_.assign(stop_ - start_ + 1, 0);
        for (int k = 0; k < n_synapses; k++)
            first_[neurons[k] - start_ + 1]++;
        for (size_t k = 1; k < first_.size(); k++)
            first_[k] += first_[k - 1];
        synapses_ = {};
        if (!std::is_sorted(neurons, neurons + n_synapses)) {
            synapses_.resize(n_synapses);
            std::vector<int64_t> next(first_.begin(), first_.end() - 1);
            for (int k = 0; k < n_synapses; k++)
                synapses_[next[neurons[k] - start_]++] = k;
        }
        walk_known_ = false;
    }

    void clear() {
        for (auto& slot : slots_)
            slot.clear();
        now_ = 0;
    }

    // Spikes on their way: (steps until they arrive, neuron or synapse), in the order in which they will arrive.
    std::vector<std::pair<int32_t, int32_t>> in_flight() const {
        std::vector<std::pair<int32_t, int32_t>> found;
        for (size_t ahead = 0; ahead < slots_.size(); ahead++)
            for (int32_t what : slots_[(now_ + ahead) % slots_.size()])
                found.emplace_back(static_cast<int32_t>(ahead), what);
        return found;
    }

    bool put_in_flight(const int32_t* pairs, int64_t count) {
        const int64_t items = one_delay_ ? stop_ - start_ : n_synapses_;
        for (int64_t k = 0; k < count; k++)
            if (pairs[2 * k] < 0 || pairs[2 * k] >= static_cast<int64_t>(slots_.size()) || pairs[2 * k + 1] < 0 ||
                pairs[2 * k + 1] >= items)
                return false;
        clear();
        for (int64_t k = 0; k < count; k++)
            slots_[pairs[2 * k]].push_back(pairs[2 * k + 1]);
        return true;
    }

    void advance() {
        slots_[now_].clear();
        now_ = now_ + 1 == slots_.size() ? 0 : now_ + 1;
    }

    // `spikes` is sorted; those of neurons outside the subgroup do not count.
    void push(const int32_t* spikes, int n_spikes) {
        const int32_t* from = std::lower_bound(spikes, spikes + n_spikes, start_);
        const int32_t* to = std::lower_bound(from, spikes + n_spikes, stop_);
        if (one_delay_) {
            auto& slot = slots_[(now_ + delays_[0]) % slots_.size()];
            for (; from != to; ++from)
                slot.push_back(*from - start_);
            return;
        }
        for (; from != to; ++from)
            for (int64_t k = first_[*from - start_]; k < first_[*from - start_ + 1]; k++)
                slots_[(now_ + delays_[synapse(k)]) % slots_.size()].push_back(synapse(k));
    }

    // How to walk, given the neuron at the other end of each synapse. Found out once after each `prepare`.
    snnplast::Walk walk(const std::vector<int>& targets) {
        if (!walk_known_)
            find_walk(targets);
        return walk_;
    }

    // Neurons (counted from the subgroup's first) whose spikes arrive now; for walks of runs and ranges.
    const std::vector<int32_t>& arrived() const { return slots_[now_]; }

    int32_t neuron(int32_t arrived) const { return arrived + start_; }

    snnplast::Span<snnplast::Run> runs(int32_t arrived) const {
        return {runs_.data() + first_run_[arrived], runs_.data() + first_run_[arrived + 1]};
    }

    snnplast::Run range(int32_t arrived) const {
        return {static_cast<int32_t>(first_[arrived]), 0, static_cast<int32_t>(first_[arrived + 1] - first_[arrived])};
    }

    // That of a neuron whose spike is seen to soon, in this step.
    snnplast::Run range_ahead(size_t n) const {
        constexpr size_t SPIKES_AHEAD = 4;
        return n + SPIKES_AHEAD < arrived().size() ? range(arrived()[n + SPIKES_AHEAD]) : snnplast::Run{0, 0, 0};
    }

    // The walk of lists: one list for each spiking neuron, or one of all synapses reached now.
    size_t n_lists() const { return one_delay_ ? arrived().size() : 1; }

    snnplast::Span<int32_t> nth_list(size_t k) const {
        if (one_delay_)
            return {synapses_.data() + first_[arrived()[k]], synapses_.data() + first_[arrived()[k] + 1]};
        return {arrived().data(), arrived().data() + arrived().size()};
    }

private:
    int32_t synapse(int64_t k) const { return synapses_.empty() ? static_cast<int32_t>(k) : synapses_[k]; }

    void find_walk(const std::vector<int>& targets) {
        walk_known_ = true;
        walk_ = snnplast::Walk::lists;
        runs_ = {};
        first_run_ = {};
        if (!one_delay_)
            return;
        int64_t widest = 0, n_runs = 0;
        for (size_t neuron = 0; neuron + 1 < first_.size(); neuron++) {
            widest = std::max(widest, first_[neuron + 1] - first_[neuron]);
            for (int64_t k = first_[neuron]; k < first_[neuron + 1]; k++)
                n_runs += begins_run(neuron, k, targets);
        }
        // Starting a run costs as much as a few synapses.
        if (widest <= 1 || 8 * n_runs <= n_synapses_) {
            walk_ = snnplast::Walk::runs;
            find_runs(n_runs, targets);
        } else if (synapses_.empty())
            walk_ = snnplast::Walk::ranges;
    }

    // Whether place k, of a neuron's, does not go on where the one before it left off.
    bool begins_run(size_t neuron, int64_t k, const std::vector<int>& targets) const {
        return k == first_[neuron] || synapse(k) != synapse(k - 1) + 1 ||
               targets[synapse(k)] != targets[synapse(k - 1)] + 1;
    }

    void find_runs(int64_t n_runs, const std::vector<int>& targets) {
        runs_.reserve(n_runs);
        first_run_.assign(1, 0);
        for (size_t neuron = 0; neuron + 1 < first_.size(); neuron++) {
            for (int64_t k = first_[neuron]; k < first_[neuron + 1]; k++) {
                if (begins_run(neuron, k, targets))
                    runs_.push_back({synapse(k), targets[synapse(k)], 0});
                runs_.back().count++;
            }
            first_run_.push_back(static_cast<int64_t>(runs_.size()));
        }
    }
};

#endif
{% endmacro %}
