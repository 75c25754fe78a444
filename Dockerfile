# Trains and plays on one NVIDIA GPU or on the CPU; logs/ appears in the folder mounted at /work:
#   docker build -t himloco .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" himloco train --task aliengo --headless
# Checked by tests/legged_gym/test_dockerfile.py without Docker: what is copied builds the whole wheel, every extra
# exists, and the packages of apt do. Building the image needs a Docker daemon, and has not been tried yet.
FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04

# gcc and Python's headers let torch.compile fuse the kernels of a step.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/himloco/bin:$PATH HOME=/home/himloco PYTHONUNBUFFERED=1
# Compiled kernels are cached in the home folder, whoever the container runs as.
RUN python3 -m venv /opt/himloco && mkdir -p -m 777 /home/himloco

COPY setup.py MANIFEST.in README.md /src/
COPY isaacgym /src/isaacgym
COPY legged_gym /src/legged_gym
COPY rsl_rl /src/rsl_rl
COPY resources /src/resources
RUN pip install --no-cache-dir "/src[viewer,video,export]" && rm -rf /src

WORKDIR /work
EXPOSE 8080
ENTRYPOINT ["himloco"]
CMD ["--help"]
