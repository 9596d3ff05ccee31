import pytest
import torch

from sk_attention.training.devices import has_fast_bf16, resolve_device, resolve_precision

CPU, CUDA, MPS = (torch.device(kind) for kind in ("cpu", "cuda", "mps"))


@pytest.fixture
def fast(monkeypatch):
    """Say whether a device is fast at bf16, whatever this machine is."""

    def say(answer):
        monkeypatch.setattr("sk_attention.training.devices.has_fast_bf16", lambda _: answer)

    return say


@pytest.mark.parametrize(("available", "device"), [(True, CUDA), (False, CPU)])
def test_automatic_device_is_a_gpu_if_there_is_one(available, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert resolve_device("auto") == device


@pytest.mark.parametrize("device", ["cpu", CPU, "cpu:0"])
def test_a_device_may_be_named(device):
    assert resolve_device(device) == torch.device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:4096", "cpu:x", ""])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used: .*[^.]\\.$"):
        resolve_device(device)


@pytest.mark.parametrize("device", [None, 0.5, ["cpu"]])
def test_what_is_no_device_is_refused(device):
    kind = type(device).__name__
    with pytest.raises(ValueError, match=f"device must be a str or a torch.device, got {kind}"):
        resolve_device(device)


@pytest.mark.parametrize(
    ("precision", "device", "tiny", "is_fast", "expected"),
    [
        ("auto", CPU, True, True, (torch.float64, False, False)),
        ("auto", CUDA, True, True, (torch.float64, False, False)),
        ("auto", MPS, True, False, (torch.float32, False, False)),  # has no float64
        ("auto", CPU, False, False, (torch.float32, False, False)),
        ("auto", CPU, False, True, (torch.float32, True, False)),
        ("float32", CPU, True, True, (torch.float32, False, False)),
        ("float64", CUDA, False, True, (torch.float64, False, False)),
        ("bf16", CPU, True, False, (torch.float32, True, True)),
    ],
)
def test_precision(precision, device, tiny, is_fast, expected, fast):
    fast(is_fast)
    assert resolve_precision(precision, device, tiny) == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True)])
def test_gpus_are_fast_at_bf16_from_ampere_on(capability, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_fast_bf16(CUDA) is expected


@pytest.mark.parametrize(
    ("avx512", "amx", "cpu_name", "expected"),
    [
        (False, False, "AMD EPYC", False),
        (True, False, "AMD EPYC", True),
        (True, False, "Intel Xeon", False),
        (True, True, "Intel Xeon", True),
        (None, None, "", False),
    ],
)
def test_cpus_are_fast_at_bf16_with_the_right_instructions(
    avx512, amx, cpu_name, expected, monkeypatch
):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"cpu_name": cpu_name}, raising=False
    )
    for probe, answer in [("_is_avx512_bf16_supported", avx512), ("_is_amx_tile_supported", amx)]:
        if answer is None:  # a version of torch that cannot tell
            monkeypatch.delattr(torch.cpu, probe, raising=False)
        else:
            monkeypatch.setattr(torch.cpu, probe, lambda answer=answer: answer, raising=False)
    assert has_fast_bf16(CPU) is expected


def test_other_devices_are_not_known_to_be_fast_at_bf16():
    assert not has_fast_bf16(MPS)
