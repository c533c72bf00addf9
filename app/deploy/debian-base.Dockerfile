# The image's base without a container registry (make debian-base): Debian's own Python, with a pip of today.
FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
 && ln -sf /usr/bin/python3 /usr/local/bin/python \
 && python3 -m pip install --quiet --no-cache-dir --retries 10 --upgrade pip setuptools wheel
CMD ["bash"]
