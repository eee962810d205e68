// Clocks a mapped netlist and counts how often every net switches from cycle to cycle.
// Input: words, then per cycle a line of `words` hexadecimal 32-bit words (port `in`, low first).
// Output: toggles of net 0, 1, ...; then per cycle the value of port `out`, hexadecimal.
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "Model.h"

int main() {
  Model model;
  unsigned words;
  if (std::scanf("%u", &words) != 1) return 2;
  auto *in = reinterpret_cast<uint32_t *>(&model.in);
  const auto *nets = reinterpret_cast<const uint32_t *>(&model.nets);
  constexpr unsigned count = sizeof(model.nets) * 8;
  std::vector<uint64_t> toggles(count);
  std::vector<uint32_t> before(count / 32), outputs;
  model.clk = 0;
  model.eval();
  for (unsigned cycle = 0;; ++cycle) {
    model.clk = 1;  // registers take what settled in the cycle before
    model.eval();
    for (unsigned word = 0; word < words; ++word)
      if (std::scanf("%" SCNx32, &in[word]) != 1) {
        for (uint64_t toggle : toggles) std::printf("%" PRIu64 "\n", toggle);
        for (uint32_t output : outputs) std::printf("%" PRIx32 "\n", output);
        return 0;
      }
    model.eval();
    if (cycle)
      for (unsigned net = 0; net < count; ++net)
        toggles[net] += (nets[net / 32] ^ before[net / 32]) >> net % 32 & 1;
    for (unsigned word = 0; word < before.size(); ++word) before[word] = nets[word];
    outputs.push_back(model.out);
    model.clk = 0;
    model.eval();
  }
}
