"""What AWS refuses with: an error code, a message and an HTTP status."""

from __future__ import annotations


class AwsError(Exception):
    """A refusal in AWS's own words; the server turns it into the answer ``{"__type": code, "message": message}``."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def client(message: str) -> AwsError:
    """ECS's word for a request that its caller must change."""
    return AwsError("ClientException", message)


def invalid(message: str) -> AwsError:
    """ECS's word for a parameter that does not fit the others or the state."""
    return AwsError("InvalidParameterException", message)


def cluster_not_found() -> AwsError:
    return AwsError("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> AwsError:
    return AwsError("ServiceNotFoundException", "Service not found.")


def service_not_active() -> AwsError:
    return AwsError("ServiceNotActiveException", "Service was not ACTIVE.")


def serialization(message: str) -> AwsError:
    """The answer to a document whose JSON types do not fit the operation's input."""
    return AwsError("SerializationException", message)


def validation(message: str) -> AwsError:
    """EventBridge's word for a member outside its documented length, range or pattern."""
    return AwsError("ValidationException", message)
