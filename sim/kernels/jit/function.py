"""Loops written in LLVM's intermediate language and compiled in the process.

Numba widens int16 sums to int64 and so defeats LLVM's vectoriser, and the optimiser reorders
sums until they no longer fit in registers. Written as vectors and only lowered, not optimised,
the loops become the instructions they look like. No C compiler is needed; ctypes releases
the interpreter's lock during a call. Inside, handles are addresses, int64; bounds are the caller's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from llvmlite import binding, ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.signature import Argument, Signature

binding.initialize_native_target()
binding.initialize_native_asmprinter()

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
ENTRY, ENTRY_NAME = ir.FunctionType(ir.VoidType(), [I64]), "entry"
Value = Any  # llvmlite has no types


def int64(value: int) -> Value:
    """Return a constant."""
    return ir.Constant(I64, value)


class Function:
    """A function under construction.

    parameters : by name, `int` for an int64, a NumPy type for a handle of such elements.
    build : its builder. arguments : their values, by name.
    """

    def __init__(self, name: str, **parameters: type) -> None:
        self.module = ir.Module(name)
        self.signature = Signature.of(name, parameters)
        function = ir.Function(self.module, ir.FunctionType(
            ir.VoidType(), [I64] * len(parameters)), name)
        self.build = ir.IRBuilder(function.append_basic_block("entry"))
        self.arguments = SimpleNamespace(**dict(zip(parameters, function.args, strict=True)))

    def external(self, name: str, result: Any, arguments: Sequence[Any]) -> Value:
        """Return a declared function, an instruction of the CPU for example."""
        return ir.Function(self.module, ir.FunctionType(result, arguments), name)

    # --- addresses ------------------------------------------------------------------

    def add(self, *terms: Value) -> Value:
        """Return the sum."""
        total = terms[0]
        for term in terms[1:]:
            total = self.build.add(total, term)
        return total

    def scaled(self, index: Value, size: int | Value) -> Value:
        """Return index * size."""
        return self.build.mul(index, int64(size) if isinstance(size, int) else size)

    def at(self, address: Value, index: Value, size: int | Value) -> Value:
        """Return the address of an element: address + index * size, in bytes."""
        return self.build.add(address, self.scaled(index, size))

    def least(self, a: Value, b: Value) -> Value:
        """Return the smaller one."""
        return self.build.select(self.build.icmp_signed("<", a, b), a, b)

    def load(self, address: Value, offset: int, kind: Any, align: int) -> Value:
        """Return what lies at address + offset bytes."""
        value = self.build.load(self._pointer(address, offset, kind))
        value.align = align
        return value

    def store(self, value: Value, address: Value, offset: int, align: int) -> None:
        """Put a value at address + offset bytes."""
        self.build.store(value, self._pointer(address, offset, value.type)).align = align

    def _pointer(self, address: Value, offset: int, kind: Any) -> Value:
        # A pointer with a constant offset: LLVM folds both into the instruction that uses them.
        start = self.build.inttoptr(address, I8.as_pointer())
        return self.build.bitcast(self.build.gep(start, [int64(offset)]), kind.as_pointer())

    def repeated(self, value: Value, kind: ir.VectorType) -> Value:
        """Return a vector of one value, again and again."""
        undefined, lanes = ir.Constant(kind, ir.Undefined), ir.VectorType(I32, kind.count)
        first = self.build.insert_element(undefined, value, ir.Constant(I32, 0))
        return self.build.shuffle_vector(first, undefined, ir.Constant(lanes, None))

    # --- loops ----------------------------------------------------------------------

    def loop(self, count: Value, body: Callable[..., Sequence[Value] | None],
             carried: Sequence[Value] = ()) -> list[Value]:
        """Run `body(index, *carried)` for every index below `count`.

        The body returns the next values of `carried`; the last ones are returned.
        """
        def below(index: Value, *_: Value) -> Value:
            return self.build.icmp_signed("<", index, count)

        def step(index: Value, *values: Value) -> Sequence[Value]:
            following = body(index, *values) or ()
            return [self.build.add(index, int64(1)), *following]

        return self.repeat(below, step, [int64(0), *carried])[1:]

    def repeat(self, condition: Callable[..., Value], body: Callable[..., Sequence[Value]],
               carried: Sequence[Value]) -> list[Value]:
        """Run `body(*carried)` while `condition(*carried)` holds.

        The body returns the next values of `carried`; the last ones are returned.
        """
        build = self.build
        before = build.block
        head, inside, after = (build.append_basic_block(name) for name in ("head", "body", "end"))
        build.branch(head)
        build.position_at_end(head)
        values = []
        for value in carried:
            values.append(build.phi(value.type))
            values[-1].add_incoming(value, before)
        build.cbranch(condition(*values), inside, after)
        build.position_at_end(inside)
        for value, new in zip(values, body(*values), strict=True):
            value.add_incoming(new, build.block)
        build.branch(head)
        build.position_at_end(after)
        return values

    # --- machine code ---------------------------------------------------------------

    def assembly(self, cpu: Cpu) -> str:
        """Return what the function becomes on a CPU, for tests."""
        text: str = _target(cpu).emit_assembly(self._parsed())
        return text

    def compile(self, cpu: Cpu) -> Compiled:
        """Return the compiled function."""
        self._add_entry()
        engine = binding.create_mcjit_compiler(self._parsed(), _target(cpu))
        engine.finalize_object()
        return Compiled(engine, self.signature)

    def _add_entry(self) -> None:
        """Add a function that takes the arguments from memory, for `sim.kernels.jit.script`."""
        function = ir.Function(self.module, ENTRY, ENTRY_NAME)
        build = ir.IRBuilder(function.append_basic_block("entry"))
        words = build.inttoptr(function.args[0], I64.as_pointer())
        build.call(self.module.get_global(self.signature.function), [
            build.load(build.gep(words, [int64(index)]))
            for index in range(len(self.signature.parameters))])
        build.ret_void()

    def _parsed(self) -> Any:
        if not self.build.block.is_terminated:
            self.build.ret_void()
        parsed = binding.parse_assembly(str(self.module))
        parsed.verify()
        return parsed


class Compiled:
    """A compiled function, called with what its signature declares.

    entry : address of the form that takes the address of its arguments.
    """

    def __init__(self, engine: Any, signature: Signature) -> None:
        self._engine = engine  # keeps the code alive
        self.signature = signature
        self.entry: int = engine.get_function_address(ENTRY_NAME)
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.entry)

    def __call__(self, **arguments: Argument) -> None:
        """Run the function without the interpreter's lock; TypeError for wrong arguments."""
        self.run(self.signature.words(arguments))

    def run(self, words: Sequence[int]) -> None:
        """Run the function on the words of its signature."""
        self._call((ctypes.c_int64 * len(words))(*words))


def _target(cpu: Cpu) -> Any:
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu.name, features=cpu.features, opt=3)
