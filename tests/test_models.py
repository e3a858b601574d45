"""The networks have the papers' sizes, start from their seed alone, and take raw images."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from torch import nn

from utils import datasets, models
from utils.models import InputSpec, Network
from utils.models.parts import MaxPool2

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)
TAKES = {
    "mlp7": (MNIST, CIFAR),
    "lenet": (MNIST, CIFAR),
    "vgg11": (MNIST, CIFAR),
    "resnet20": (MNIST, CIFAR),
}
CASES = [(name, shape) for name, shapes in TAKES.items() for shape in shapes]


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "width", "expected"),
    [
        # seven linear layers: in*w + w, five times w*w + w, w*10 + 10
        ("mlp7", MNIST, 256, 784 * 256 + 256 + 5 * (256 * 256 + 256) + 2570),
        ("mlp7", MNIST, None, 784 * 1024 + 1024 + 5 * (1024 * 1024 + 1024) + 10250),
        # 61,706 is the number in every LeNet-5 tutorial: 156 + 2,416 + 48,120 + 10,164 + 850
        ("lenet", MNIST, None, 61706),
        ("lenet", CIFAR, None, 61706 + 2 * 6 * 25),
        # torchvision's vgg11 features have 9,220,480 parameters; two layers of 512 and the output
        # follow
        ("vgg11", CIFAR, None, 9_220_480 + 2 * (512 * 512 + 512) + 5130),
        ("vgg11", MNIST, None, 9_220_480 - 2 * 64 * 9 + 2 * (512 * 512 + 512) + 5130),
        # He et al. 2016, Table 6: 0.27 M; 269,722 with parameter-free shortcuts
        ("resnet20", CIFAR, None, 269_722),
    ],
)
def test_parameter_counts_are_the_papers(name, shape, width, expected):
    assert count(models.build(name, InputSpec(shape), width=width)) == expected


def test_vgg_convolutions_are_torchvisions_configuration_a():
    from torchvision.models import vgg11

    with torch.device("meta"):  # shapes only
        theirs = [tuple(m.weight.shape) for m in vgg11().features if isinstance(m, nn.Conv2d)]
    ours = [
        tuple(m.weight.shape)
        for m in models.build("vgg11", InputSpec(CIFAR)).modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert ours == theirs


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_raw_images_in_logits_out(name, shape):
    model = models.build(name, InputSpec(shape, classes=7), width=4).eval()
    out = model(torch.rand(3, *shape))
    assert out.shape == (3, 7) and out.dtype == torch.float32
    assert torch.isfinite(out).all() and out.std() > 0


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_eval_mode_treats_every_image_alone(name, shape):
    """What the score of one masked input is must not depend on its neighbours in the batch."""
    model = models.build(name, InputSpec(shape), width=4).eval()
    x = torch.rand(5, *shape)
    torch.testing.assert_close(model(x)[2:3], model(x[2:3]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", TAKES)
def test_the_seed_alone_decides_the_weights(name):
    torch.manual_seed(123)
    first = models.build(name, InputSpec(MNIST), width=4, seed=5).state_dict()
    torch.manual_seed(456)
    before = torch.random.get_rng_state()
    again = models.build(name, InputSpec(MNIST), width=4, seed=5).state_dict()
    assert torch.equal(before, torch.random.get_rng_state()), (
        "building must leave the global generator alone"
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = models.build(name, InputSpec(MNIST), width=4, seed=6).state_dict()
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", TAKES)
def test_width_scales_the_network(name):
    default = models.find(name).width
    assert count(models.build(name, InputSpec(MNIST))) == count(
        models.build(name, InputSpec(MNIST), width=default)
    )
    ratio = count(models.build(name, InputSpec(CIFAR), width=16)) / count(
        models.build(name, InputSpec(CIFAR), width=8)
    )
    assert 1.9 < ratio < 4.2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mlp7", ["hidden1", "hidden2", "hidden3", "hidden4", "hidden5", "hidden6"]),
        ("lenet", ["conv1", "conv2", "fc1", "fc2"]),
        (
            "vgg11",
            [
                "conv1_1",
                "conv2_1",
                "conv3_1",
                "conv3_2",
                "conv4_1",
                "conv4_2",
                "conv5_1",
                "conv5_2",
                "fc1",
                "fc2",
            ],
        ),
        ("resnet20", ["stem", *(f"block{k}" for k in range(1, 10))]),
    ],
)
def test_layers_are_called_in_order_and_are_rectified(name, expected):
    model = models.build(name, InputSpec(MNIST), width=4).eval()
    assert models.find(name).layers == tuple(expected)
    seen: dict[str, torch.Tensor] = {}
    for layer in expected:
        model.get_submodule(layer).register_forward_hook(
            lambda _m, _i, out, layer=layer: seen.setdefault(layer, out)
        )
    with torch.no_grad():
        model(torch.rand(2, *MNIST))
    assert list(seen) == expected
    assert all(
        float(features.min()) >= 0 and float(features.max()) > 0 for features in seen.values()
    )


def test_the_fourth_linear_layer_and_the_sixth_block_are_where_the_papers_probe():
    """Cheng et al. 2024, App. M.3: 4th linear layer of MLP-7, conv4_2 of VGG-11, 6th of 9 blocks of
    ResNet-20."""
    features = {}
    for name, layer in (("mlp7", "hidden4"), ("vgg11", "conv4_2"), ("resnet20", "block6")):
        model = models.build(name, InputSpec(CIFAR), width=8).eval()
        model.get_submodule(layer).register_forward_hook(
            lambda _m, _i, out, name=name: features.update({name: out})
        )
        model(torch.rand(2, *CIFAR))
    assert {name: tuple(out.shape[1:]) for name, out in features.items()} == {
        "mlp7": (8,),
        "vgg11": (64, 4, 4),
        "resnet20": (16, 16, 16),
    }


@pytest.mark.parametrize("name", TAKES)
def test_normalisation_is_inside_and_travels_with_the_weights(name, tmp_path):
    x = torch.rand(4, *CIFAR)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
    plain = models.build(name, InputSpec(CIFAR), width=4, seed=1).eval()
    inside = models.build(name, InputSpec(CIFAR, mean=mean, std=std), width=4, seed=1).eval()
    outside = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(inside(x), plain(outside), atol=1e-6, rtol=1e-5)
    safetensors.torch.save_file(inside.state_dict(), tmp_path / "weights.safetensors")
    plain.load_state_dict(
        safetensors.torch.load_file(tmp_path / "weights.safetensors"), strict=True
    )
    assert torch.equal(plain(x), inside(x))


@pytest.mark.parametrize("name", ["lenet", "vgg11"])
def test_small_images_stand_in_a_black_frame(name):
    """A 28x28 image and the same image framed to 32x32 by hand are one input, also when
    normalised."""
    small = models.build(name, InputSpec((1, 28, 28), mean=0.1, std=0.3), width=4).eval()
    large = models.build(name, InputSpec((1, 32, 32), mean=0.1, std=0.3), width=4).eval()
    x = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(small(x), large(nn.functional.pad(x, (2, 2, 2, 2))))


def test_residual_shortcut_is_option_a():
    """With silent convolutions a block passes on every second pixel and zeros in the new
    channels."""
    model = models.build("resnet20", InputSpec(CIFAR), width=4).eval()
    block = model.get_submodule("block4")
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 32, 32)
    out = block(x)
    assert out.shape == (2, 8, 16, 16)
    assert torch.equal(out[:, :4], x[:, :, ::2, ::2]) and not out[:, 4:].any()


def test_an_untrained_vgg_lets_the_signal_through():
    """PyTorch's default initialisation would leave logits that hardly depend on the image."""
    model = models.build("vgg11", InputSpec(MNIST, mean=0.13, std=0.31), width=16).eval()
    out = model(torch.rand(32, *MNIST).round())
    assert out.std(dim=0).mean() > 0.01


@pytest.mark.parametrize(
    ("name", "spec", "width", "message"),
    [
        ("vgg12", {}, None, r"unknown model 'vgg12' \(did you mean 'vgg1.'"),
        (
            "lenet",
            {"shape": (1, 64, 64)},
            None,
            "lenet takes images of 28x28, 32x32 pixels, got 64",
        ),
        ("vgg11", {"shape": (3, 28, 32)}, None, "28x28, 32x32, 64x64 pixels, got 28x32"),
        ("resnet20", {"shape": (3, 4, 4)}, None, "at least 8x8"),
        ("resnet20", {"shape": (10,)}, None, r"at least 8x8 pixels, got \(10,\)"),
        ("lenet", {"shape": (28, 28)}, None, "channels, height, width"),
        ("mlp7", {"shape": (1, 0, 28)}, None, "positive whole number"),
        ("mlp7", {}, 0, "width must be a positive whole number, got 0"),
        ("mlp7", {"classes": -1}, None, "classes must be"),
        ("lenet", {"shape": CIFAR, "mean": [0.1, 0.2]}, None, r"one per channel \(3\)"),
        ("lenet", {"std": 0.0}, None, "std must be positive"),
    ],
)
def test_bad_requests_name_what_is_accepted(name, spec, width, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, InputSpec(**{"shape": MNIST} | spec), width)


def test_the_networks_are_those_of_the_folder():
    assert set(TAKES) <= set(models.names())
    for name in models.names():
        network = models.find(name)
        assert models.find(network) is network and network.name == name and network.title
        assert set(network.takes) <= set(datasets.base.NOUNS)
        assert (network.sized(None), network.sized(8)) == (name, f"{name}_w8")
        assert network.titled(8) == f"{network.title} of width 8"


@pytest.mark.parametrize("name", TAKES)
def test_every_named_layer_is_there_and_answers_one_tensor(name):
    network, seen = models.find(name), {}
    model = models.build(network, InputSpec(MNIST), width=4).eval()
    for layer in network.layers:
        model.get_submodule(layer).register_forward_hook(
            lambda _m, _i, out, layer=layer: seen.update({layer: out})
        )
    model(torch.rand(3, *MNIST))
    assert all(isinstance(out, torch.Tensor) and len(out) == 3 for out in seen.values())
    assert set(seen) == set(network.layers)


def test_a_table_enters_by_column_and_a_regression_has_one_answer():
    mean, std = torch.tensor([100.0, 0.0, 5.0]), torch.tensor([10.0, 1.0, 2.0])
    spec = InputSpec((3,), 0, mean=mean, std=std)
    model = models.build("mlp7", spec, width=8, seed=3).eval()
    plain = models.build("mlp7", InputSpec((3,), 0), width=8, seed=3).eval()
    rows = torch.tensor([[100.0, 0.0, 5.0], [120.0, 1.0, 1.0]])
    assert model(rows).shape == (2, 1) and spec.outputs == 1
    torch.testing.assert_close(model(rows), plain((rows - mean) / std))


def test_a_network_of_ones_own_is_built_like_the_others():
    def make(spec, width):
        last = nn.Linear(width * spec.shape[0], spec.outputs)
        return nn.Sequential(nn.Embedding(spec.vocabulary, width), nn.Flatten(), last)

    own = Network("mine", "Mine", make, ("text",), ("0",), 4, "numbers per token")
    first, again, other = (
        models.build(own, InputSpec((5,), 2, vocabulary=1000), seed=seed).state_dict()
        for seed in (1, 1, 2)
    )
    assert first["0.weight"].shape == (1000, 4)
    assert torch.equal(first["0.weight"], again["0.weight"])
    assert not torch.equal(first["0.weight"], other["0.weight"])


@pytest.mark.parametrize("side", [4, 7, 10])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooling_without_gradients_is_torchs_bit_for_bit(side, layout):
    x = torch.randn(5, 3, side, side + 1).contiguous(memory_format=layout)
    x[0, 0, 0, 0] = torch.nan
    pool, reference = MaxPool2(), nn.MaxPool2d(2)
    with torch.no_grad():
        assert torch.equal(pool(x).nan_to_num(9.0), reference(x).nan_to_num(9.0))
    y, z = x[1:].clone().requires_grad_(), x[1:].clone().requires_grad_()
    pool(y).square().sum().backward()
    reference(z).square().sum().backward()
    assert torch.equal(y.grad, z.grad)
