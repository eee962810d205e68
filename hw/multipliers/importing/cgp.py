"""CGP chromosomes as text, in the two forms the approximate-circuit community writes.

A chromosome is `{inputs,outputs,rows,columns,2,1,l-back}`, a triplet per node and the outputs.

- Numbered: `([18]2,10,2)...`. Nets 0 and 1 are the constants, the inputs start at 2; the
  outputs are the least significant first (ariths-gen, Klhufek and Mrazek, 2022). A chromosome
  numbered from its number of inputs has no constants, and the inputs start at 0.
- Plain: `(2,10,2)...`, as earlier releases wrote. The inputs start at 2 where a net is read that
  would not exist otherwise, else at 0; the outputs are the most significant first.

Releases disagree about the order of the outputs, so the caller tries both
(`hw.multipliers.importing.meaning`). The first half of the inputs is the first operand, least
significant bit first.
"""

from __future__ import annotations

import re

from hw.multipliers.importing import truth
from hw.multipliers.importing.circuit import MAX_NODES, Circuit, Node, Port
from hw.multipliers.importing.source import Source, shown

HEADER = re.compile(r"\s*\{([\d\s,]{1,200})\}")
NODE = re.compile(r"\s*\(\s*(?:\[\s*(\d{1,9})\s*\]\s*)?(\d{1,9})\s*,\s*(\d{1,9})\s*,"
                  r"\s*(\d{1,9})\s*\)")
OUTPUTS = re.compile(r"\s*\(\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)\s*\)\s*")
# Identity, NOT, AND, OR, XOR, NAND, NOR, XNOR, 1, 0 of inputs (a, b).
FUNCTIONS = (0b1010, 0b0101, truth.AND, truth.OR, truth.XOR, truth.NAND, truth.NOR, truth.XNOR,
             0b1111, 0b0000)


def read(source: Source) -> Circuit:
    """Return the circuit of a chromosome, its outputs in the order of the file.

    The product's name is `product`, the operands' names are `a` and `b`.
    """
    text = source.text

    def fault(message: str, at: int) -> Exception:
        return source.error(message, text.count("\n", 0, at) + 1)

    header = HEADER.match(text)
    sizes = [int(word) for word in header[1].split(",") if word.strip()] if header else []
    if header is None or len(sizes) != 7:
        raise fault("chromosome must start with {inputs,outputs,rows,columns,2,1,l-back}", 0)
    input_count, output_count, rows, columns, arity, fanout, _lback = sizes
    if (arity, fanout) != (2, 1):
        raise fault(f"chromosome nodes must have 2 inputs and 1 output, not {arity} and {fanout}",
                    0)
    if input_count < 2 or input_count % 2 or input_count > 32:
        raise fault(f"chromosome must have 2 to 32 inputs, as many per operand, not {input_count}",
                    0)
    if rows * columns > MAX_NODES:
        raise fault(f"chromosome must have at most {MAX_NODES} nodes, not {rows * columns}", 0)
    found: list[re.Match[str]] = []
    position = header.end()
    while match := NODE.match(text, position):
        if len(found) == rows * columns and match[1] is None:
            break  # three outputs look like a plain node
        found.append(match)
        position = match.end()
    if len(found) != rows * columns:
        raise fault(f"chromosome must have {rows * columns} nodes (a,b,f) or ([id]a,b,f), "
                    f"not {len(found)} before {shown(text[position:position + 20]) or 'the end'!r}",
                    position)
    ends = OUTPUTS.fullmatch(text, position)
    outputs = ends[1].split(",") if ends else []
    if len(outputs) != output_count:
        raise fault(f"chromosome must end in its {output_count} outputs, "
                    f"not {shown(text[position:position + 20]) or 'nothing'}", position)
    numbered = bool(found) and found[0][1] is not None
    read_nets = [int(net) for match in found for net in match.group(2, 3)]
    read_nets += [int(word) for word in outputs]
    if numbered:
        first_node = int(found[0][1])
    else:
        first_node = input_count + 2 * (max(read_nets) >= input_count + len(found))
    if first_node not in (input_count, input_count + 2):
        raise fault(f"chromosome must number its nodes from {input_count + 2} (0 and 1 are "
                    f"constants) or {input_count}, not {first_node}", header.end())
    first_input = first_node - input_count
    nodes = {"0": Node(table=0), "1": Node(table=1)} if first_input else {}
    for number, match in enumerate(found, start=first_node):
        if (match[1] is not None) != numbered or (numbered and int(match[1]) != number):
            raise fault(f"chromosome nodes must be numbered one by one, here [{number}]",
                        match.start())
        a, b, function = int(match[2]), int(match[3]), int(match[4])
        if function >= len(FUNCTIONS):
            raise fault(f"chromosome function must be 0 to {len(FUNCTIONS) - 1}, not {function}",
                        match.start())
        if max(a, b) >= number:
            raise fault(f"chromosome node {number} must read earlier nets, not {max(a, b)}",
                        match.start())
        nodes[str(number)] = Node(table=FUNCTIONS[function], inputs=(str(a), str(b)))
    last = first_node + len(found)
    for word in outputs:
        if int(word) >= last:
            raise fault(f"chromosome output must be a net below {last}, not {shown(word.strip())}",
                        position)
    nets = [str(first_input + bit) for bit in range(input_count)]
    half = input_count // 2
    product = tuple(str(int(word)) for word in outputs)
    if not (numbered and first_input):
        product = product[::-1]
    return Circuit(
        inputs=(Port(name="a", nets=tuple(nets[:half])), Port(name="b", nets=tuple(nets[half:]))),
        outputs=(Port(name="product", nets=product),),
        nodes=nodes)
