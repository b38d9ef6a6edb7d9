"""Windows that move over images: what TensorFlow pads."""


def pair(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def same(size, kernel, stride, dilation):
    """What TensorFlow pads, before and after."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def pads(image, kernel, options):
    if options.get("padding") != "same":
        return 0, 0, 0, 0
    s, d = pair(options.get("strides", 1)), pair(options.get("dilationRate", 1))
    return sum((same(image[i], kernel[i], s[i], d[i]) for i in (0, 1)), ())
