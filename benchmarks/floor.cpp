// One iteration of e-prop written by hand: the lower bound that a general simulator is held against.
//
//     v_j^t   = alpha v_j^{t-1} + (1 - alpha) (sum_i Win_ij x_i^t + sum_i Wrec_ij z_i^{t-1}) - theta z_j^{t-1}
//     psi_j^t = 0.3 / theta max(0, 1 - |v_j^t - theta| / theta),   z_j^t = 1 where v_j^t >= theta, else 0
//     y^t     = alpha y^{t-1} + (1 - alpha) sum_j Wout_j z_j^t,    e^t = y^t - target^t
//     f^t     = alpha f^{t+1} + (1 - alpha) e^t                     (backwards)
//     a_j^t   = alpha a_j^{t+1} + psi_j^t (f^t B_j + R_j)           (backwards)
//     R_j     = c (sum_t z_j^t / T - r) / T
//     dWin_ij = (1 - alpha) sum_t x_i^t a_j^t,  dWrec_ij = (1 - alpha) sum_t z_i^{t-1} a_j^t,  dWout_j = sum_t z_j^t f^t
//
// Neurons are columns, in blocks of as many as stay in registers while the rows of all that spiked are added.
// Float64, one thread; needs the vector extensions of gcc or clang. floor.py builds and calls it.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace {

typedef double Vector __attribute__((vector_size(64), aligned(8)));
typedef int64_t Mask __attribute__((vector_size(64)));
typedef int8_t Marks __attribute__((vector_size(8)));

constexpr int LANES = 8, VECTORS = 4, BLOCK = LANES * VECTORS;

struct Block {
    Vector part[VECTORS] = {};

    static Block at(const double *from) {
        Block found;
        for (int q = 0; q < VECTORS; q++) std::memcpy(&found.part[q], from + q * LANES, sizeof(Vector));
        return found;
    }
    void store(double *to) const {
        for (int q = 0; q < VECTORS; q++) std::memcpy(to + q * LANES, &part[q], sizeof(Vector));
    }
    inline void add(const double *from) {
        for (int q = 0; q < VECTORS; q++) part[q] += *reinterpret_cast<const Vector *>(from + q * LANES);
    }
};

// Zeros, aligned to a cache line.
struct Array {
    double *values;
    explicit Array(size_t size) {
        const size_t bytes = (size * sizeof(double) + 63) / 64 * 64;
        values = static_cast<double *>(std::aligned_alloc(64, bytes));
        std::memset(values, 0, bytes);
    }
    ~Array() { std::free(values); }
    Array(const Array &) = delete;
    double &operator[](size_t k) { return values[k]; }
    operator double *() { return values; }
};

// Spikes of a population in the order of time: those of step t are index[start[t]] to index[start[t + 1] - 1].
struct Spikes {
    std::vector<int> start{0}, index;
};

// The same spikes by neuron: the steps at which neuron i arrives, time[start[i]] to time[start[i + 1] - 1].
struct Arrivals {
    std::vector<int> start, time;

    Arrivals(const Spikes &spikes, int neurons, int delay) : start(neurons + 1) {
        const int steps = int(spikes.start.size()) - 1, count = spikes.start[steps - delay];
        for (int k = 0; k < count; k++) start[spikes.index[k] + 1]++;
        for (int i = 0; i < neurons; i++) start[i + 1] += start[i];
        std::vector<int> next(start.begin(), start.end() - 1);
        time.resize(count);
        for (int t = 0; t < steps - delay; t++)
            for (int k = spikes.start[t]; k < spikes.start[t + 1]; k++) time[next[spikes.index[k]]++] = t + delay;
    }
};

struct Constants {
    double alpha, threshold, regulariser, rate;  // rate: wanted spikes per step
};

class Network {
  public:
    Network(int n, int inputs, int steps, Constants constants)
        : n(n), inputs(inputs), steps(steps), c(constants), row((n + BLOCK - 1) / BLOCK * BLOCK),
          w_in(size_t(inputs) * row), w_rec(size_t(n) * row), w_out(row), feedback(row), v(row), pull(row),
          psi(size_t(steps) * row), adjoint(size_t(steps) * BLOCK), error(steps) {}

    const int n, inputs, steps;
    const Constants c;
    const int row;  // of a matrix, in doubles
    Array w_in, w_rec, w_out, feedback;
    Spikes x, z;

    double iterate(const double *target, double eta) {
        forward();
        const double loss = judge(target);
        learn(eta);
        return loss;
    }

    // Fresh Poisson input: the gaps between spikes are geometric.
    void draw(double probability) {
        x.start.assign(1, 0);
        x.index.clear();
        const double scale = 1 / std::log1p(-probability);
        const int64_t cells = int64_t(steps) * inputs;
        for (int64_t cell = -1;;) {
            const double u = double((random() >> 11) + 1) * 0x1p-53;
            cell += 1 + int64_t(std::log(u) * scale);
            if (cell >= cells) break;
            while (int64_t(x.start.size()) <= cell / inputs) x.start.push_back(int(x.index.size()));
            x.index.push_back(int(cell % inputs));
        }
        x.start.resize(steps + 1, int(x.index.size()));
    }

  private:
    Array v, pull, psi, adjoint, error;
    std::mt19937_64 random{1};

    void forward() {
        z.start.assign(1, 0);
        z.index.resize(size_t(steps) * n + LANES);
        std::memset(v, 0, row * sizeof(double));
        std::vector<Mask> fired(row / LANES);
        int count = 0, before = 0;
        for (int t = 0; t < steps; t++) {
            const int first = before, last = count;
            before = count;
            for (int b = 0; b < row; b += BLOCK) {
                Block drive;
                for (int k = first; k < last; k++) drive.add(w_rec + size_t(z.index[k]) * row + b);
                for (int k = x.start[t]; k < x.start[t + 1]; k++) drive.add(w_in + size_t(x.index[k]) * row + b);
                count = step(drive, b, psi + size_t(t) * row + b, &fired[b / LANES], count);
            }
            z.start.push_back(count);
        }
        z.index.resize(count);
    }

    // Membranes, surrogate derivatives and spikes of a block; returns how many spikes there are by now.
    int step(const Block &drive, int b, double *psi_row, Mask *fired, int count) {
        const double theta = c.threshold;
        Block membrane = Block::at(v + b), derivative;
        for (int q = 0; q < VECTORS; q++) {
            Vector &now = membrane.part[q];
            now = c.alpha * now + (1 - c.alpha) * drive.part[q];
            now = fired[q] ? now - theta : now;
            const Vector away = (now - theta) / theta, distance = away < 0.0 ? -away : away, left = 1.0 - distance;
            derivative.part[q] = (left > 0.0 ? left : Vector{}) * (0.3 / theta);
            fired[q] = now >= theta;
            const Marks marks = __builtin_convertvector(fired[q], Marks);
            uint64_t bits;
            std::memcpy(&bits, &marks, sizeof bits);
            for (; bits; count++) {
                const int lane = __builtin_ctzll(bits) / 8;
                z.index[count] = b + q * LANES + lane;
                bits &= ~(uint64_t(0xff) << (8 * lane));
            }
        }
        membrane.store(v + b);
        derivative.store(psi_row);
        return count;
    }

    // The loss; leaves the filtered error.
    double judge(const double *target) {
        double y = 0, loss = 0, filtered = 0;
        for (int t = 0; t < steps; t++) {
            double sum = 0;
            for (int k = z.start[t]; k < z.start[t + 1]; k++) sum += w_out[z.index[k]];
            y = c.alpha * y + (1 - c.alpha) * sum;
            error[t] = y - target[t];
            loss += 0.5 * error[t] * error[t];
        }
        for (int t = steps - 1; t >= 0; t--) error[t] = filtered = c.alpha * filtered + (1 - c.alpha) * error[t];
        return loss;
    }

    void learn(double eta) {
        const Arrivals of_inputs(x, inputs, 0), of_neurons(z, n, 1);
        std::memset(pull, 0, row * sizeof(double));
        for (int index : z.index) pull[index] += 1.0 / steps;
        for (int j = 0; j < n; j++) pull[j] = c.regulariser * (pull[j] - c.rate) / steps;
        for (int b = 0; b < row; b += BLOCK) {
            backward(b);
            descend(of_inputs, inputs, eta * (1 - c.alpha), w_in + b);
            descend(of_neurons, n, eta * (1 - c.alpha), w_rec + b);
        }
        for (int i = 0; i < n; i++) w_rec[size_t(i) * row + i] = 0;
        for (int t = 0; t < steps; t++)
            for (int k = z.start[t]; k < z.start[t + 1]; k++) w_out[z.index[k]] -= eta * error[t];
    }

    void backward(int b) {
        const Block weights = Block::at(feedback + b), regularised = Block::at(pull + b);
        Block now;
        for (int t = steps - 1; t >= 0; t--) {
            const Block derivative = Block::at(psi + size_t(t) * row + b);
            for (int q = 0; q < VECTORS; q++)
                now.part[q] = c.alpha * now.part[q]
                    + derivative.part[q] * (error[t] * weights.part[q] + regularised.part[q]);
            now.store(adjoint + size_t(t) * BLOCK);
        }
    }

    void descend(const Arrivals &arrivals, int sources, double rate, double *weights) {
        for (int i = 0; i < sources; i++, weights += row) {
            Block gradient;
            for (int k = arrivals.start[i]; k < arrivals.start[i + 1]; k++)
                gradient.add(adjoint + size_t(arrivals.time[k]) * BLOCK);
            Block changed = Block::at(weights);
            for (int q = 0; q < VECTORS; q++) changed.part[q] -= rate * gradient.part[q];
            changed.store(weights);
        }
    }
};

// Rows of a matrix between a dense array and one whose rows are longer.
void copy_rows(double *to, int to_row, const double *from, int from_row, int rows, int columns) {
    for (int i = 0; i < rows; i++)
        std::memcpy(to + size_t(i) * to_row, from + size_t(i) * from_row, columns * sizeof(double));
}

}  // namespace

extern "C" {

Network *network_new(int n, int inputs, int steps, const double *constants, const double *w_in, const double *w_rec,
                     const double *w_out, const double *feedback) {
    auto *net = new Network(n, inputs, steps, {constants[0], constants[1], constants[2], constants[3]});
    copy_rows(net->w_in, net->row, w_in, n, inputs, n);
    copy_rows(net->w_rec, net->row, w_rec, n, n, n);
    copy_rows(net->w_out, net->row, w_out, n, 1, n);
    copy_rows(net->feedback, net->row, feedback, n, 1, n);
    return net;
}

void network_show(Network *net, const int *start, const int *index) {
    net->x.start.assign(start, start + net->steps + 1);
    net->x.index.assign(index, index + start[net->steps]);
}

void network_draw(Network *net, double probability) { net->draw(probability); }

double network_iterate(Network *net, const double *target, double eta) { return net->iterate(target, eta); }

void network_weights(Network *net, double *w_in, double *w_rec, double *w_out) {
    copy_rows(w_in, net->n, net->w_in, net->row, net->inputs, net->n);
    copy_rows(w_rec, net->n, net->w_rec, net->row, net->n, net->n);
    copy_rows(w_out, net->n, net->w_out, net->row, 1, net->n);
}

void network_delete(Network *net) { delete net; }
}
