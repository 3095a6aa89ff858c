"""An AWS account on this machine: moto's S3, IAM, STS and SageMaker, and AWS's own model server behind every endpoint.

Everything listens on loopback. Nothing needs Docker, an installed Java or an AWS account.
"""
