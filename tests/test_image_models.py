"""The papers' larger image networks have their sources' sizes, and generalising the families left
VGG-11 and ResNet-20 as they were, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from utils import models
from utils.models import InputSpec

MNIST, CIFAR, TINY = (1, 28, 28), (3, 32, 32), (3, 64, 64)
NEW = ("alexnet", "vgg13", "vgg16", "resnet18", "resnet32")
CASES = [(name, shape) for name in NEW for shape in (MNIST, CIFAR, TINY)]
GIVEN = ("resnet20_given", "resnet32_given")


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def convolutions(model: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Conv2d)]


# Sizes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "classes", "expected"),
    [
        # He et al. 2016, Table 6: 0.46 M; 464,154 with parameter-free shortcuts
        ("resnet32", CIFAR, 10, 464_154),
        ("resnet20_given", CIFAR, 10, 269_722),
        ("resnet32_given", CIFAR, 10, 464_154),
        # the usual ResNet-18 of CIFAR-10: 11.17 M
        ("resnet18", CIFAR, 10, 11_173_962),
        ("resnet18", TINY, 200, 11_173_962 + 190 * 513),
        # torchvision's features, then 512, 512 and the classes
        ("vgg13", CIFAR, 10, 9_404_992 + 2 * (512 * 512 + 512) + 5130),
        ("vgg16", CIFAR, 10, 14_714_688 + 2 * (512 * 512 + 512) + 5130),
        ("vgg16", TINY, 20, 14_714_688 + 4 * 512**2 + 512**2 + 2 * 512 + 513 * 20),
        # torchvision's features with 5x5 in place of 11x11, then 1024, 1024 and the classes
        ("alexnet", CIFAR, 10, 2_469_696 - 3 * 64 * 96 + 4097 * 1024 + 1025 * 1024 + 10250),
    ],
)
def test_parameter_counts_are_those_of_the_sources(name, shape, classes, expected):
    assert count(models.build(name, InputSpec(shape, classes))) == expected


def test_features_are_torchvisions():
    from torchvision import models as theirs

    with torch.device("meta"):
        vgg13, vgg16, alexnet = theirs.vgg13(), theirs.vgg16(), theirs.alexnet()
        resnet18 = theirs.resnet18(num_classes=10)
    assert convolutions(models.build("vgg13", InputSpec(CIFAR))) == convolutions(vgg13)
    assert convolutions(models.build("vgg16", InputSpec(CIFAR))) == convolutions(vgg16)
    first, *rest = convolutions(models.build("alexnet", InputSpec(CIFAR)))
    assert first == (64, 3, 5, 5) and rest == convolutions(alexnet)[1:]
    assert count(alexnet.features) == 2_469_696
    # All of ResNet-18 but its first convolution, 7x7 there.
    resnet18.conv1 = nn.Conv2d(3, 64, 3, bias=False, device="meta")
    assert count(models.build("resnet18", InputSpec(CIFAR))) == count(resnet18)


def test_a_residual_network_of_eighteen_layers_computes_what_torchvisions_does():
    """With the same weights, a 3x3 stem and no first pooling."""
    from torchvision.models import resnet18

    theirs = resnet18(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    ours = models.build("resnet18", InputSpec(CIFAR))
    named = [name for name in ours.state_dict() if not name.startswith("input.")]
    weights = dict(zip(named, theirs.state_dict().values(), strict=True))
    ours.load_state_dict(weights, strict=False)
    x = torch.rand(2, *CIFAR)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


# Old bits -----------------------------------------------------------------------------------------


class OldVGG11(nn.Module):
    """VGG-11 as it was before its family had other members."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        for stage, multiples in enumerate(((1,), (2,), (4, 4), (8, 8), (8, 8)), start=1):
            for k, multiple in enumerate(multiples, start=1):
                layer = nn.Conv2d(channels, multiple * width, 3, padding=1)
                self.add_module(f"conv{stage}_{k}", nn.Sequential(layer, nn.ReLU()))
                channels = multiple * width
        self.fc1 = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.output = nn.Linear(channels, 10)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                mode = "fan_out" if isinstance(module, nn.Conv2d) else "fan_in"
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in models.find("vgg11").layers[:-2]:
            x = self.get_submodule(name)(x)
            if name in ("conv1_1", "conv2_1", "conv3_2", "conv4_2", "conv5_2"):
                x = F.max_pool2d(x, 2)
        return self.output(self.fc2(self.fc1(x.flatten(1))))


class OldBlock(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new = stride, out - channels
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(shortcut + self.bn2(self.conv2(y)))


class OldResNet20(nn.Module):
    """ResNet-20 as it was before its family had other members."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
        channels = width
        for k in range(9):
            out = width * 2 ** (k // 3)
            self.add_module(f"block{k + 1}", OldBlock(channels, out, 2 if out > channels else 1))
            channels = out
        self.output = nn.Linear(channels, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in models.find("resnet20").layers:
            x = self.get_submodule(name)(x)
        return self.output(x.mean(dim=(2, 3)))


@pytest.mark.parametrize(("name", "old"), [("vgg11", OldVGG11), ("resnet20", OldResNet20)])
def test_the_first_of_each_family_keeps_its_bits(name, old):
    new = models.build(name, InputSpec(CIFAR), width=8, seed=3).eval()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        before = old(3, 8).eval()
    ours = {key: x for key, x in new.state_dict().items() if not key.startswith("input.")}
    theirs = before.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    x = torch.rand(3, *CIFAR)
    with torch.no_grad():
        assert torch.equal(new(x), before(x))


# What every network keeps -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_raw_images_in_logits_out_each_image_alone(name, shape):
    model = models.build(name, InputSpec(shape, classes=7), width=4).eval()
    x = torch.rand(3, *shape)
    with torch.no_grad():
        out = model(x)
        torch.testing.assert_close(model(x[2:]), out[2:], atol=1e-6, rtol=1e-5)
    assert out.shape == (3, 7) and torch.isfinite(out).all() and out.std() > 0


@pytest.mark.parametrize("name", [*NEW, *GIVEN])
def test_the_seed_alone_decides_and_a_step_changes_every_weight(name):
    first, again = (models.build(name, InputSpec(CIFAR), width=4, seed=5) for _ in range(2))
    other = models.build(name, InputSpec(CIFAR), width=4, seed=6)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert any(
        not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True)
    )
    x, labels = torch.rand(8, *CIFAR), torch.arange(8)
    for model in (first, again):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    for (key, a), b, c in zip(
        first.named_parameters(),
        again.parameters(),
        models.build(name, InputSpec(CIFAR), width=4, seed=5).parameters(),
        strict=True,
    ):
        assert torch.equal(a, b) and not torch.equal(a, c), key


@pytest.mark.parametrize("name", [*NEW, *GIVEN])
def test_layers_are_called_in_order_and_are_rectified(name):
    model, seen = models.build(name, InputSpec(CIFAR), width=4).eval(), {}
    for layer in models.find(name).layers:
        model.get_submodule(layer).register_forward_hook(
            lambda _m, _i, out, layer=layer: seen.setdefault(layer, out)
        )
    with torch.no_grad():
        model(torch.rand(2, *CIFAR))
    assert tuple(seen) == models.find(name).layers == tuple(model.layers)
    assert all(float(out.min()) >= 0 and float(out.max()) > 0 for out in seen.values())


def test_the_tenth_block_of_fifteen_is_where_the_paper_probes():
    """Cheng et al. 2024, App. M.3: ResNet-32 after its 10th block of 15."""
    for name, layer in (("resnet32", "block10"), ("resnet32_given", "layer2.4")):
        assert models.find(name).layers[10] == layer
    assert models.find("resnet20_given").layers[6] == "layer2.2"


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("alexnet", (3, 48, 48), "alexnet takes images of 28x28, 32x32, 64x64 pixels, got 48x48"),
        ("vgg16", (3, 16, 16), "vgg16 takes images of 28x28, 32x32, 64x64 pixels, got 16x16"),
        ("resnet18", (3, 4, 4), "resnet18 takes images .* at least 8x8 pixels"),
        ("resnet32", (10,), r"resnet32 takes images .* got \(10,\)"),
        ("resnet20_given", (1, 32, 32), r"three channels, got \(1, 32, 32\)"),
        ("resnet32_given", MNIST, "32x32 pixels, got 28x28"),
    ],
)
def test_bad_requests_name_what_is_accepted(name, shape, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, InputSpec(shape), 4)


# Weights given by others --------------------------------------------------------------------------


def test_the_shortcut_of_given_weights_puts_new_channels_on_both_sides():
    block = models.build("resnet20_given", InputSpec(CIFAR), width=4).eval().layer2[0]
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 32, 32)
    out = block(x)
    assert torch.equal(out[:, 2:6], x[:, :, ::2, ::2])
    assert not out[:, :2].any() and not out[:, 6:].any()


def test_pixels_are_normalised_by_the_constants_of_the_weights_whatever_the_data():
    """Which are in the network, not in its file."""
    spec = InputSpec(CIFAR)
    plain = models.build("resnet20_given", spec, seed=1).eval()
    told = models.build("resnet20_given", spec._replace(mean=0.1, std=0.9), seed=1).eval()
    x = torch.rand(2, *CIFAR)
    assert torch.equal(plain(x), told(x))
    assert not {"mean", "std"} & set(plain.state_dict())
    seen = []
    plain.conv1.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    plain(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 32, 32))
    assert not seen[0].any()
