"""llama.cpp's server on the embedded model in bfloat16: `llama_server.py QUANTISED.gguf BF16.gguf PORT`.

Runs in llama.cpp's own environment (xllamacpp, gguf) and imports nothing of ours.
"""

from __future__ import annotations

import os
import sys
import threading


def dequantise(source: str, target: str) -> None:
    """The same model with its matrices in bfloat16."""
    import gguf
    from gguf import quants

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        sub = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    for tensor in reader.tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type)
        kind = gguf.GGMLQuantizationType.BF16 if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    source, target, port = sys.argv[1:]
    dequantise(source, target)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = target
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.n_parallel = 32
    params.n_ctx = 32 * 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
