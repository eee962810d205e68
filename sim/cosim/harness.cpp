// A host for an emitted accelerator, as a shared library: streams in, streams out, cycle by cycle.
// Every beat is `sizeof` its port or less, least significant byte first.
#include <cstdint>
#include <cstring>
#include <memory>

#include "Model.h"
#include "Model_accelerator.h"
#include "Model_bank.h"

// Verilator spells a double underscore by its code.
#define PORT(stream, part) model.stream##___05F##part

namespace {

template <typename Port>
void put(Port& port, const uint8_t* bytes, int64_t size) {
    std::memset(&port, 0, sizeof port);
    std::memcpy(&port, bytes, size);
}

template <typename Port>
void get(const Port& port, uint8_t* bytes, int64_t size) {
    std::memcpy(bytes, &port, size);
}

// xorshift64*: which streams wait in a cycle.
struct Random {
    uint64_t state;
    bool below(int chance_of_256) {
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
        return int((state * 0x2545F4914F6CDD1DULL) >> 56) < chance_of_256;
    }
};

struct Simulation {
    VerilatedContext context;
    Model model{&context};
    Random random{1};
    int stall = 0;  // chance of 256 that a stream waits
    int64_t clocked = 0;  // cycles in which the clock of the selected array ran

    explicit Simulation(uint64_t seed) {
        context.randReset(2);  // what is not reset starts at random
        context.randSeed(int(seed % 0x7FFFFFFF) + 1);
    }

    void edge() {
        clocked += model.__PVT__accelerator->__PVT__bank->moving;
        model.clk = 1;
        model.eval();
        model.clk = 0;
    }

    void reset() {
        PORT(instructions, valid) = PORT(weights, valid) = PORT(host_in, valid) = 0;
        PORT(host_out, ready) = 0;
        model.clk = 0;
        model.rst = 1;
        for (int cycle = 0; cycle < 2; ++cycle) {
            model.eval();
            edge();
        }
        clocked = 0;
        model.rst = 0;
    }
};

}  // namespace

extern "C" {

struct Transfer {
    const uint64_t* words;
    int64_t word_count;
    const uint8_t* weights;
    int64_t weight_count, weight_bytes;
    const uint8_t* rows_in;
    int64_t in_count, in_bytes;
    uint8_t* rows_out;
    int64_t out_count, out_bytes;
    int64_t* accepted;  // cycle in which each word was accepted, counted from the first call
    int64_t* taken;     // beats that passed: words, weights, rows in, rows out
};

void* accelerator_new(uint64_t seed) {
    auto simulation = std::make_unique<Simulation>(seed);
    simulation->reset();
    return simulation.release();
}

void accelerator_delete(void* handle) { delete static_cast<Simulation*>(handle); }

void accelerator_stall(void* handle, uint64_t seed, int chance_of_256) {
    auto& simulation = *static_cast<Simulation*>(handle);
    simulation.random.state = seed * 2 + 1;
    simulation.stall = chance_of_256;
}

// Runs until the sequencer asks for a word after the last one, all results taken; it stops before
// that cycle's clock edge, so that the next call goes on in the same cycle. Returns 0, or 1 after
// `limit` cycles, or 2 on a fault. `cycle` is the number of clock edges so far.
int accelerator_run(void* handle, const Transfer* transfer, int64_t* cycle, int64_t limit) {
    auto& simulation = *static_cast<Simulation*>(handle);
    auto& model = simulation.model;
    int64_t word = 0, weight = 0, in = 0, out = 0;
    const int64_t last = *cycle + limit;
    int status = 1;
    bool word_offered = false, weight_offered = false, in_offered = false;
    for (; *cycle < last; ++*cycle) {
        auto& random = simulation.random;
        const int stall = simulation.stall;
        // A beat that was offered stays until it is taken.
        word_offered = word < transfer->word_count && (word_offered || !random.below(stall));
        weight_offered = weight < transfer->weight_count && (weight_offered || !random.below(stall));
        in_offered = in < transfer->in_count && (in_offered || !random.below(stall));
        PORT(instructions, valid) = word_offered;
        if (word_offered) PORT(instructions, payload) = transfer->words[word];
        PORT(weights, valid) = weight_offered;
        if (weight_offered)
            put(PORT(weights, payload), transfer->weights + weight * transfer->weight_bytes,
                transfer->weight_bytes);
        PORT(host_in, valid) = in_offered;
        if (in_offered)
            put(PORT(host_in, payload), transfer->rows_in + in * transfer->in_bytes,
                transfer->in_bytes);
        PORT(host_out, ready) = out < transfer->out_count && !random.below(stall);
        model.eval();
        if (model.fault) {
            status = 2;
            break;
        }
        if (word == transfer->word_count && out == transfer->out_count &&
            PORT(instructions, ready)) {
            status = 0;
            break;
        }
        if (word_offered && PORT(instructions, ready)) {
            transfer->accepted[word++] = *cycle;
            word_offered = false;
        }
        if (weight_offered && PORT(weights, ready)) ++weight, weight_offered = false;
        if (in_offered && PORT(host_in, ready)) ++in, in_offered = false;
        if (PORT(host_out, valid) && PORT(host_out, ready)) {
            get(PORT(host_out, payload), transfer->rows_out + out * transfer->out_bytes,
                transfer->out_bytes);
            ++out;
        }
        simulation.edge();
    }
    transfer->taken[0] = word, transfer->taken[1] = weight;
    transfer->taken[2] = in, transfer->taken[3] = out;
    return status;
}

int accelerator_selected(void* handle) { return static_cast<Simulation*>(handle)->model.selected; }
int accelerator_layer(void* handle) { return static_cast<Simulation*>(handle)->model.layer; }
int64_t accelerator_clocked(void* handle) { return static_cast<Simulation*>(handle)->clocked; }
int accelerator_route_error(void* handle) {
    return static_cast<Simulation*>(handle)->model.route_error;
}

}  // extern "C"
