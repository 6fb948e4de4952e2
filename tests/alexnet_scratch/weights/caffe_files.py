"""Files of Caffe's, written by protobuf's own library from caffe.proto's numbers of fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("google.protobuf")
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# message: "name number type", * for repeated, *[packed] as caffe.proto has it.
_SCHEMA = {
    "BlobShape": ("dim 1 int64 *packed",),
    "BlobProto": (
        "shape 7 BlobShape", "data 5 float *packed", "diff 6 float *packed",
        "double_data 8 double *packed", "num 1 int64", "channels 2 int64", "height 3 int64",
        "width 4 int64",
    ),
    "ParamSpec": ("lr_mult 3 float", "decay_mult 4 float"),
    "ConvolutionParameter": (
        "num_output 1 uint32", "bias_term 2 bool", "pad 3 uint32 *", "kernel_size 4 uint32 *",
        "group 5 uint32", "stride 6 uint32 *", "pad_h 9 uint32", "pad_w 10 uint32",
    ),
    "DropoutParameter": ("dropout_ratio 1 float",),
    "InnerProductParameter": ("num_output 1 uint32",),
    "LRNParameter": ("local_size 1 uint32", "alpha 2 float", "beta 3 float", "k 5 float"),
    "PoolingParameter": (
        "pool 1 int32", "kernel_size 2 uint32", "stride 3 uint32", "pad 4 uint32",
        "kernel_h 5 uint32", "kernel_w 6 uint32",
    ),
    "LayerParameter": (
        "name 1 string", "type 2 string", "bottom 3 string *", "top 4 string *",
        "param 6 ParamSpec *", "blobs 7 BlobProto *", "convolution_param 106 ConvolutionParameter",
        "dropout_param 108 DropoutParameter", "inner_product_param 117 InnerProductParameter",
        "lrn_param 118 LRNParameter", "pooling_param 121 PoolingParameter",
    ),
    "V1LayerParameter": (
        "bottom 2 string *", "top 3 string *", "name 4 string", "type 5 int32",
        "blobs 6 BlobProto *", "blobs_lr 7 float *", "convolution_param 10 ConvolutionParameter",
        "dropout_param 12 DropoutParameter", "inner_product_param 17 InnerProductParameter",
        "lrn_param 18 LRNParameter", "pooling_param 19 PoolingParameter",
    ),
    "NetParameter": (
        "name 1 string", "layers 2 V1LayerParameter *", "input 3 string *", "input_dim 4 int32 *",
        "force_backward 5 bool", "layer 100 LayerParameter *",
    ),
}  # fmt: skip
_V1_TYPES = {"Convolution": 4, "Data": 5, "Dropout": 6, "InnerProduct": 14, "LRN": 15,
             "Pooling": 17, "ReLU": 18, "SoftmaxWithLoss": 21}  # fmt: skip


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for name, fields in _SCHEMA.items():
        made = file.message_type.add(name=name)
        for field in fields:
            called, number, kind, *repeated = field.split()
            entry = made.field.add(name=called, number=int(number))
            entry.label = entry.LABEL_REPEATED if repeated else entry.LABEL_OPTIONAL
            if kind in _SCHEMA:
                entry.type, entry.type_name = entry.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                entry.type = getattr(entry, f"TYPE_{kind.upper()}")
            entry.options.packed = repeated == ["*packed"]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))
        for name in _SCHEMA
    }


MESSAGES = _messages()


def alexnet(
    arrays: dict[str, np.ndarray], order: str = "relu-lrn-pool", v1: bool = False,
    shapes: bool = True,
) -> bytes:  # fmt: skip
    """bvlc_alexnet with these blobs (conv1.weight, ...), or with another order CaffeNet.

    v1: layers as before the end of 2014; shapes: as since then, else of four sizes.
    """
    net = MESSAGES["NetParameter"](name="AlexNet", force_backward=True)
    net.input.append("data")
    net.input_dim.extend([10, 3, 227, 227])

    def add(name: str, kind: str, **options: Any) -> Any:
        layer = (net.layers if v1 else net.layer).add(name=name)
        layer.type = _V1_TYPES[kind] if v1 else kind
        layer.bottom.append("below")
        layer.top.append(name)
        for parameter, given in options.items():
            held = getattr(layer, parameter)
            held.SetInParent()
            for key, value in given.items():
                if isinstance(value, list):
                    getattr(held, key).extend(value)
                else:
                    setattr(held, key, value)
        for part in ("weight", "bias"):
            array = arrays.get(f"{name}.{part}")
            if array is None:
                continue
            blob = layer.blobs.add()
            if shapes:
                blob.shape.dim.extend(array.shape)
            else:
                sizes = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = sizes
            blob.data.extend(array.reshape(-1).tolist())
            blob.diff.extend([0.5] * 3)
        return layer

    add("data", "Data")
    geometry = ((11, 4, 0, 1), (5, 1, 2, 2), (3, 1, 1, 1), (3, 1, 1, 2), (3, 1, 1, 2))
    for i, (kernel, stride, pad, group) in enumerate(geometry, 1):
        convolution: dict[str, Any] = {"kernel_size": [kernel], "group": group, "pad": [pad]}
        if stride > 1:
            convolution["stride"] = [stride]
        add(f"conv{i}", "Convolution", convolution_param=convolution)
        for step in (order if i < 3 else "relu-pool" if i == 5 else "relu").split("-"):
            if step == "relu":
                add(f"relu{i}", "ReLU")
            elif step == "lrn":
                lrn = {"local_size": 5, "alpha": 1e-4, "beta": 0.75}
                add(f"norm{i}", "LRN", lrn_param=lrn)
            else:
                add(f"pool{i}", "Pooling", pooling_param={"kernel_size": 3, "stride": 2})
    for i in (6, 7, 8):
        add(f"fc{i}", "InnerProduct", inner_product_param={"num_output": 8})
        if i < 8:
            add(f"relu{i}", "ReLU")
            add(f"drop{i}", "Dropout", dropout_param={"dropout_ratio": 0.4})
    add("loss", "SoftmaxWithLoss")
    return net.SerializeToString()


def blobs(seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a narrow network by layer, as Caffe has them."""
    draw = np.random.default_rng(seed)
    shapes = {"conv1": (4, 3, 11, 11), "conv2": (8, 2, 5, 5), "conv3": (8, 8, 3, 3),
              "conv4": (8, 4, 3, 3), "conv5": (4, 4, 3, 3), "fc6": (8, 144), "fc7": (8, 8),
              "fc8": (5, 8)}  # fmt: skip
    found = {}
    for name, shape in shapes.items():
        found[f"{name}.weight"] = draw.standard_normal(shape).astype(np.float32)
        found[f"{name}.bias"] = draw.standard_normal(shape[:1]).astype(np.float32)
    return found
