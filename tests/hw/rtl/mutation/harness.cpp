// Runs programs on an accelerator and tiles on a bank with a mutant built in, as a shared library.
// Beats are integers in 64 bits.
#include <cstdint>
#include <deque>
#include <memory>

#include "Model.h"

// Verilator spells a double underscore by its code.
#define PORT(stream, part) model.stream##___05F##part

namespace {

// xorshift64*: which streams wait in a cycle.
struct Random {
    uint64_t state;
    bool below(int64_t chance_of_256) {
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
        return int64_t((state * 0x2545F4914F6CDD1DULL) >> 56) < chance_of_256;
    }
};

}  // namespace

extern "C" {

// How a mutant was noticed.
enum Reason { HUNG = 1, OFF_CYCLE, WRONG_RESULT, WENT_ON, WRONG_STOP, WRONG_STATE, WRONG_CLOCK };

struct Tiles {
    const int64_t* routes;  // in front of each tile, or -1
    const int64_t* beats;   // activations of each tile
    const uint64_t* weights;
    const uint64_t* acts;
    const uint64_t* results;
    int64_t tile_count, weight_count, act_count, result_count;
    int64_t weight_stall, act_stall, result_stall, cut, selected, route_error, latency, rows;
    int64_t first;   // bit of acts that opens a tile
    int64_t travel;  // steps that the array is clocked for after a row of weights or a ROUTE
};

struct Program {
    const uint64_t* words;
    const uint64_t* weights;
    const uint64_t* rows_in;
    const uint64_t* rows_out;  // what must come out
    const int64_t* accepted;   // cycle in which each word must be accepted; null if streams wait
    int64_t word_count, weight_count, in_count, out_count;  // words: two more than are obeyed
    int64_t stall, cut, refused, late, selected, route_error, layer, limit;
};

}  // extern "C"

namespace {

// Runs tiles from one reset on; returns a Reason or 0.
int run_tiles(Model& model, const Tiles& now, Random random) {
    PORT(tile_route, valid) = PORT(tile_weights, valid) = PORT(tile_acts, valid) = 0;
    PORT(tile_results, ready) = 0;
    model.tile_rst = 1;
    model.tile_clk = 0;
    model.eval();
    model.tile_clk = 1;
    model.eval();
    model.tile_rst = 0;
    model.tile_clk = 0;
    int64_t weight = 0, act = 0, result = 0;
    int64_t loading = 0, multiplying = 0, left = now.beats[0];  // tiles of weights, of acts
    int64_t begun = 0, steps = 0, quiet = 0, travels_from = -1;
    bool routed = now.routes[0] < 0;  // what stands in front of tile `loading` has passed
    bool open = false, held = false, act_waits = false, weight_waits = false, route_waits = false;
    uint64_t held_result = 0;
    std::deque<int64_t> due;  // step of the pipeline in which each result must come
    for (int64_t cycle = 0;; ++cycle) {
        if (cycle == 4000) return HUNG;
        if (now.cut && cycle == now.cut) return 0;
        // A ROUTE ends the tile before it: it comes when that tile's acts have entered.
        const bool may_route = loading < now.tile_count && !routed && multiplying == loading;
        route_waits = may_route && (route_waits || !random.below(now.weight_stall));
        const bool may_weigh = weight < now.weight_count && (routed || route_waits);
        weight_waits = may_weigh && (weight_waits || !random.below(now.weight_stall));
        act_waits = act < now.act_count && (act_waits || !random.below(now.act_stall));
        // Rows of weights that wait for their tile to begin; no ROUTE may pass them.
        const int64_t fill = weight - begun * now.rows;
        const bool empty = due.empty() && fill == 0;
        const bool early = !route_waits && due.empty() && fill != 0 && random.below(60);
        PORT(tile_route, valid) = route_waits || early;
        PORT(tile_route, payload) = route_waits ? uint8_t(now.routes[loading]) : 31;
        PORT(tile_weights, valid) = weight_waits;
        if (weight_waits) PORT(tile_weights, payload) = uint32_t(now.weights[weight]);
        // Where no tile is open, a beat that opens none must wait.
        const bool probe = (!open || (route_waits && empty)) && random.below(100);
        PORT(tile_acts, valid) = probe || act_waits;
        PORT(tile_acts, payload) = probe || !act_waits ? 0 : now.acts[act];
        PORT(tile_results, ready) = !random.below(now.result_stall);
        model.eval();
        const bool route_beat = route_waits && PORT(tile_route, ready);
        const bool weight_beat = weight_waits && PORT(tile_weights, ready);
        const bool act_beat = act_waits && !probe && PORT(tile_acts, ready);
        const bool result_valid = PORT(tile_results, valid);
        const bool result_beat = result_valid && PORT(tile_results, ready);
        const bool advance = !result_valid || result_beat;
        if (probe && PORT(tile_acts, ready)) return WENT_ON;
        if (early && PORT(tile_route, ready)) return WENT_ON;
        const bool moving = advance && ((!due.empty() && steps < due.back()) ||
                                        steps - travels_from <= now.travel);
        if (model.enabled != uint64_t(moving) << model.tile_selected) return WRONG_CLOCK;
        if (model.driven & ~(1 << model.tile_selected)) return WRONG_CLOCK;
        if (model.tile_busy != !due.empty()) return WRONG_STATE;
        if (route_beat && !empty) return WRONG_STATE;
        if (weight_beat && !routed) return WENT_ON;
        if (result_valid) {
            if (due.empty() || due.front() != steps) return OFF_CYCLE;
            if (PORT(tile_results, payload) != now.results[result]) return WRONG_RESULT;
        } else if (!due.empty() && due.front() <= steps) {
            return OFF_CYCLE;
        }
        if (held && (!result_valid || PORT(tile_results, payload) != held_result))
            return WRONG_RESULT;
        held = result_valid && !result_beat;
        held_result = PORT(tile_results, payload);
        if (!advance && (act_beat || weight_beat)) return WENT_ON;
        if (result_beat) due.pop_front(), ++result;
        if (act_beat) {
            const bool opens = now.acts[act] >> now.first & 1;
            if (opens && fill != now.rows) return WENT_ON;
            if (opens) open = true, ++begun;
            due.push_back(steps + now.latency);
            ++act, act_waits = false;
            if (--left == 0 && ++multiplying < now.tile_count) left = now.beats[multiplying];
        }
        if (route_beat || weight_beat) travels_from = steps;
        if (route_beat) routed = true, route_waits = false, open = false;
        if (weight_beat) {
            weight_waits = false;
            // Weights must not run over those of a tile that waits.
            if (++weight > (begun + 1) * now.rows) return WENT_ON;
            if (weight % now.rows == 0 && ++loading < now.tile_count)
                routed = now.routes[loading] < 0;
        }
        steps += advance;
        if (result == now.result_count && ++quiet == 12) {
            const bool right = weight == now.weight_count && model.tile_selected == now.selected &&
                               model.tile_route_error == now.route_error;
            return right ? 0 : WRONG_STATE;
        }
        model.tile_clk = 1;
        model.eval();
        model.tile_clk = 0;
    }
}

// Runs a program from one reset on; returns a Reason or 0.
int run_program(Model& model, const Program& now, Random random) {
    PORT(instructions, valid) = PORT(weights, valid) = PORT(host_in, valid) = 0;
    PORT(host_out, ready) = 0;
    model.rst = 1;
    model.clk = 0;
    model.eval();
    model.clk = 1;
    model.eval();
    model.rst = 0;
    model.clk = 0;
    int64_t word = 0, weight = 0, in = 0, out = 0, quiet = 0;
    const int64_t obeyed = now.word_count - 2 + now.refused;
    bool word_waits = false, weight_waits = false, in_waits = false, stopped = false;
    for (int64_t cycle = 0;; ++cycle) {
        if (cycle == now.limit) return HUNG;
        if (now.cut && cycle == now.cut) return 0;
        // A beat that was offered stays until it is taken.
        word_waits = word < now.word_count && (word_waits || !random.below(now.stall)) &&
                     !(now.late && word == obeyed && !stopped);
        weight_waits = weight < now.weight_count && (weight_waits || !random.below(now.stall));
        in_waits = in < now.in_count && (in_waits || !random.below(now.stall));
        PORT(instructions, valid) = word_waits;
        if (word_waits) PORT(instructions, payload) = now.words[word];
        PORT(weights, valid) = weight_waits;
        if (weight_waits) PORT(weights, payload) = uint32_t(now.weights[weight]);
        PORT(host_in, valid) = in_waits;
        if (in_waits) PORT(host_in, payload) = uint32_t(now.rows_in[in]);
        PORT(host_out, ready) = !random.below(now.stall);
        model.eval();
        if (PORT(instructions, ready) && word_waits) {
            if (now.accepted && word < now.word_count - 1 && now.accepted[word] != cycle)
                return OFF_CYCLE;
            // While HALT is obeyed one more word is accepted; none after that.
            if (++word > obeyed + (!now.refused && !now.late)) return WENT_ON;
            word_waits = false;
        }
        if (PORT(weights, ready) && weight_waits) ++weight, weight_waits = false;
        if (PORT(host_in, ready) && in_waits) ++in, in_waits = false;
        if (PORT(host_out, valid) && PORT(host_out, ready)) {
            if (out == now.out_count || PORT(host_out, payload) != now.rows_out[out])
                return WRONG_RESULT;
            ++out;
        }
        // Finished: nothing may move in the cycles that follow.
        if (stopped && !(model.halted || model.fault)) return WRONG_STOP;
        stopped = model.halted || model.fault;
        if (stopped && (model.halted == now.refused || model.fault != now.refused))
            return WRONG_STOP;
        if (stopped && out == now.out_count && ++quiet == 12) {
            const bool right = word >= obeyed && weight == now.weight_count &&
                               in == now.in_count && model.layer == now.layer &&
                               model.route_error == now.route_error &&
                               (now.refused || model.selected == now.selected);
            return right ? 0 : WRONG_STATE;
        }
        model.clk = 1;
        model.eval();
        model.clk = 0;
    }
}

}  // namespace

extern "C" {

// Returns 8 * the first run, counted from 1, in which the mutant differs, plus a Reason; or 0.
int64_t mutant_run(const Tiles* tiles, int64_t tile_runs, const Program* programs,
                   int64_t program_runs, int site, int variant, int seed) {
    VerilatedContext context;
    context.randReset(2);  // what is not reset starts at random
    context.randSeed(seed);
    auto owner = std::make_unique<Model>(&context);
    Model& model = *owner;
    model.mutant_site = site;
    model.mutant_variant = variant;
    model.clk = model.tile_clk = 0;
    // One after the other on the same model: what a run leaves behind must not disturb the next.
    // The first program notices most mutants, and tiles are quicker than the other programs.
    const int64_t first = program_runs > 0;
    for (int64_t run = 0; run < program_runs + tile_runs; ++run) {
        const bool tile = run >= first && run < first + tile_runs;
        const int64_t program = run < first ? run : run - tile_runs;
        const Random random{uint64_t(run) * 2 + 1};
        const int reason = tile ? run_tiles(model, tiles[run - first], random)
                                : run_program(model, programs[program], random);
        if (reason) return 8 * (run + 1) + reason;
    }
    return 0;
}

}  // extern "C"
