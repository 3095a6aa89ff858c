"""Every error the harness raises, in one tree.

::

    HarnessError
    ├── DeclarationError     an experiment or a hyperparameter was declared wrong
    ├── DataError            a data set or a drawing cannot be had, or is not what it claims to be
    ├── TrainingError        training cannot start, or went wrong
    │   └── DeviceError      the device asked for is not there, or MXNet has no code for it
    ├── ArtifactError        a model tarball that SageMaker could not serve
    ├── ServingError         the model server did not start, or answered with an error
    ├── CloudError           AWS, real or simulated, refused or is out of reach
    │   ├── MissingError     there is no live account: credentials, a region or a role are missing
    │   └── LeftoverError    clean-up could not delete everything: names what is left
    └── GateError            a trained model did not pass its gate (also an AssertionError)

Each message says what was expected, what was found and what to do next. Errors of other libraries are translated once,
where they enter the harness, with the original as ``__cause__``.
"""


class HarnessError(Exception):
    """Base of everything the harness raises on purpose."""


class DeclarationError(HarnessError, ValueError):
    """An experiment, a hyperparameter or an option was declared wrong."""


class DataError(HarnessError):
    """A data set or a drawing cannot be had, or is not what it claims to be."""


class TrainingError(HarnessError):
    """Training cannot start with these arrays and settings, or went wrong."""


class DeviceError(TrainingError):
    """The device asked for does not exist, or the installed MXNet has no machine code for it."""


class ArtifactError(HarnessError):
    """A model tarball that SageMaker's container could not serve."""


class ServingError(HarnessError):
    """The model server did not start, stopped, or answered a request with an error."""


class CloudError(HarnessError):
    """AWS, real or simulated, refused a call or is out of reach."""


class MissingError(CloudError):
    """There is no live account to be had; the message names what is missing: credentials, a region or a role."""


class LeftoverError(CloudError):
    """Clean-up could not delete everything; the message names what is left."""


class GateError(HarnessError, AssertionError):
    """A trained model did not pass its gate; the message holds every reason."""
