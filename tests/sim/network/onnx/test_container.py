"""Files that are no ONNX are told from their outermost layer, without reading them."""

import onnx
import pytest

from hw.common.errors import InputError
from sim.network.onnx.container import check_container
from tests.sim.nets import NETS

MODEL = NETS["plain"]().model().SerializeToString()


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        check_container(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_models_pass(tmp_path):
    onnx.save(NETS["residual"]().model(), tmp_path / "net.onnx")
    check_container(tmp_path / "net.onnx")


@pytest.mark.parametrize("cut", [1, 100, len(MODEL) // 2])
def test_cut_files_are_refused_with_what_is_missing(cut, tmp_path):
    assert "missing" in refusal(tmp_path / "net.onnx", MODEL[:-cut])


@pytest.mark.parametrize("content", [b"\0" * 50, b"\x89PNG\r\n\x1a\n", b"<html>", MODEL + b"\0",
                                     b"\xff" * 64, b"\x0d\x01\x02\x03\x04"])
def test_other_files_are_refused(content, tmp_path):
    assert refusal(tmp_path / "net.onnx", content).startswith("not an ONNX file (byte ")


def test_empty_files_and_folders_are_refused(tmp_path):
    assert refusal(tmp_path / "net.onnx", b"") == \
        "ONNX file must have 1 to 2147483647 bytes, not 0"
    with pytest.raises(InputError, match=r"must be an ONNX file, not a folder or a device$"):
        check_container(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        check_container(tmp_path / "none.onnx")


def test_sparse_files_are_refused_without_reading_them(tmp_path):
    with (tmp_path / "net.onnx").open("wb") as stream:
        stream.truncate(2**31 - 1)
    with pytest.raises(InputError, match=r"not an ONNX file \(byte 0 "):
        check_container(tmp_path / "net.onnx")
